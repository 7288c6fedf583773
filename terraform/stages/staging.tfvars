# Add bigcommerce_store_hash, alert_email and replicate_since, here or as TF_VAR_...; the secrets as TF_VAR_... only.
# Give each stage a store of its own: an order that one stage has moved is not new to another.
stage            = "staging"
region           = "us-east-1"
polling_interval = 60
