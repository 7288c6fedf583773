# Required: bigcommerce_store_hash, alert_email and replicate_since, in this file or as TF_VAR_<name>.
# Secrets: only as TF_VAR_<name> in the environment, never in a file.
# Each stage needs its own store: an order that one stage has moved is not new for another stage.
stage              = "prod"
region             = "us-east-1"
polling_interval   = 120
log_retention_days = 365

# Receivers of events about orders, see docs/deploying.md, Destinations:
# destinations = { erp = { sqs = "arn:aws:sqs:us-east-1:123456789012:erp-orders" } }
