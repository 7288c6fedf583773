locals {
  name = "order-replication-${var.stage}"

  function_names = {
    poll_orders      = "${local.name}-poll-orders"
    cart_converted   = "${local.name}-cart-converted"
    replicate_orders = "${local.name}-replicate-orders"
    follow_orders    = "${local.name}-follow-orders"
    publish_changes  = "${local.name}-publish-changes"
  }

  # The console of each partition, without the region before it.
  console_domain = lookup(
    {
      aws-cn     = "console.amazonaws.cn"
      aws-eusc   = "console.amazonaws-eusc.eu"
      aws-us-gov = "console.amazonaws-us-gov.com"
    },
    data.aws_partition.current.partition,
    "console.aws.amazon.com",
  )

  # Read from the exported file: a reference to a function would create a cycle, because the function depends on its
  # queue.
  packaged_functions = jsondecode(file("${path.module}/chalice.tf.json")).resource.aws_lambda_function
}

data "aws_partition" "current" {}

# The libraries of the functions. The previous version is deleted last, so that no function refers to a deleted one.
resource "aws_lambda_layer_version" "libraries" {
  layer_name               = "${local.name}-libraries"
  filename                 = "${path.module}/layer-deployment.zip"
  source_code_hash         = filebase64sha256("${path.module}/layer-deployment.zip")
  compatible_runtimes      = [local.packaged_functions.poll_orders.runtime]
  compatible_architectures = local.packaged_functions.poll_orders.architectures

  lifecycle {
    create_before_destroy = true
  }
}

moved {
  from = aws_lambda_layer_version.managed-layer
  to   = aws_lambda_layer_version.libraries
}

# Data is encrypted with module.roles.kms_key_arn, which is the key once the functions may use it.
module "tables" {
  source = "./modules/tables"

  name                = local.name
  deletion_protection = var.deletion_protection
  orders_expire       = var.orders_retention_days > 0
  kms_key_arn         = module.roles.kms_key_arn
}

module "alerts" {
  source = "./modules/alerts"

  name          = local.name
  region        = var.region
  email         = var.alert_email
  subscriptions = var.alert_subscriptions
  kms_key_arn   = module.roles.kms_key_arn
}

module "order_queue" {
  source = "./modules/order_queue"

  name              = local.name
  region            = var.region
  queue             = "orders"
  alarm             = "dead-letters"
  consumer_timeout  = local.packaged_functions.replicate_orders.timeout
  max_receive_count = var.max_receive_count
  runbook_url       = var.runbook_url
  alarm_topic_arn   = module.alerts.dead_letters_topic_arn
  kms_key_arn       = module.roles.kms_key_arn
}

# A queue of its own, so that a bulk edit of orders does not delay new orders.
module "changes_queue" {
  source = "./modules/order_queue"

  name              = local.name
  region            = var.region
  queue             = "changes"
  alarm             = "changes-dead-letters"
  consumer_timeout  = local.packaged_functions.follow_orders.timeout
  max_receive_count = var.max_receive_count
  runbook_url       = var.runbook_url
  alarm_topic_arn   = module.alerts.dead_letters_topic_arn
  kms_key_arn       = module.roles.kms_key_arn
}

module "events" {
  source = "./modules/events"

  name            = local.name
  region          = var.region
  runbook_url     = var.runbook_url
  alarm_topic_arn = module.alerts.dead_letters_topic_arn
  kms_key_arn     = module.roles.kms_key_arn
}

module "secrets" {
  source = "./modules/secrets"

  path                   = "/order-replication/${var.stage}"
  region                 = var.region
  access_token           = var.bigcommerce_access_token
  client_secret          = var.bigcommerce_client_secret
  webhook_token          = var.webhook_token
  webhook_token_previous = var.webhook_token_previous
  secrets_version        = var.secrets_version
  kms_key_arn            = module.roles.kms_key_arn
}

module "logs" {
  source = "./modules/logs"

  name           = local.name
  function_names = local.function_names
  namespace      = "order-replication/${var.stage}"
  retention_days = var.log_retention_days
  kms_key_arn    = var.kms_key_arn
}

module "roles" {
  source = "./modules/roles"

  name               = local.name
  region             = var.region
  orders_table_arn   = module.tables.orders_arn
  orders_stream_arn  = module.tables.orders_stream_arn
  jobs_table_arn     = module.tables.jobs_arn
  webhooks_table_arn = module.tables.webhooks_arn
  orders_queue_arn   = module.order_queue.arn
  changes_queue_arn  = module.changes_queue.arn
  errors_topic_arn   = module.alerts.errors_topic_arn
  access_token_arn   = module.secrets.access_token_arn
  client_secret_arn  = module.secrets.client_secret_arn
  log_group_arns     = module.logs.group_arns
  kms_key_arn        = var.kms_key_arn

  event_bus_arn          = module.events.bus_arn
  unpublished_events_arn = module.events.unpublished_arn

  webhook_token_arns   = [module.secrets.webhook_token_arn, module.secrets.webhook_token_previous_arn]
  retired_kms_key_arns = var.retired_kms_key_arns
  permissions_boundary = var.permissions_boundary
}

module "operators" {
  source = "./modules/operators"

  region             = var.region
  poll_function_arn  = aws_lambda_function.poll_orders.arn
  schedule_arn       = aws_cloudwatch_event_rule.poll_orders-event.arn
  orders_table_arn   = module.tables.orders_arn
  jobs_table_arn     = module.tables.jobs_arn
  webhooks_table_arn = module.tables.webhooks_arn
  erasures_table_arn = module.tables.erasures_arn
  event_bus_arn      = module.events.bus_arn
  topic_arns         = [module.alerts.errors_topic_arn, module.alerts.dead_letters_topic_arn]
  parameter_arns     = module.secrets.parameter_arns
  kms_key_arns       = concat(var.kms_key_arn == null ? [] : [var.kms_key_arn], var.retired_kms_key_arns)

  function_arns = [
    aws_lambda_function.poll_orders.arn,
    aws_lambda_function.api_handler.arn,
    aws_lambda_function.replicate_orders.arn,
    aws_lambda_function.follow_orders.arn,
    aws_lambda_function.publish_changes.arn,
  ]

  log_group_arns = values(module.logs.group_arns)

  queue_arns = [module.order_queue.arn, module.changes_queue.arn]

  # One ARN for the queues of all destinations, so that their number does not exceed the size of an IAM policy.
  dead_letter_queue_arns = [
    module.order_queue.dead_letter_arn,
    module.changes_queue.dead_letter_arn,
    module.events.unpublished_arn,
    "${module.events.undelivered_arn_prefix}*-undelivered",
  ]
}

# A resource of its own, because the argument of the API could not be taken back. It also exists without addresses, so that
# a change of the policy is made before the deployment that applies it.
resource "aws_api_gateway_rest_api_policy" "rest_api" {
  rest_api_id = aws_api_gateway_rest_api.rest_api.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(
      {
        Effect    = "Allow"
        Principal = "*"
        Action    = "execute-api:Invoke"
        Resource  = "${aws_api_gateway_rest_api.rest_api.execution_arn}/*"
      },
      length(var.allowed_source_cidrs) == 0 ? {} : {
        Condition = { IpAddress = { "aws:SourceIp" = var.allowed_source_cidrs } }
      },
    )]
  })
}

module "api" {
  source = "./modules/api"

  rest_api_id          = aws_api_gateway_rest_api.rest_api.id
  deployment_id        = aws_api_gateway_deployment.rest_api.id
  access_log_group_arn = var.access_logs ? module.logs.access_group_arn : null
  rate_limit           = var.webhook_rate_limit
  burst_limit          = var.webhook_burst_limit
  web_acl_arn          = var.web_acl_arn
}

module "monitoring" {
  source = "./modules/monitoring"

  name             = local.name
  region           = var.region
  runbook_url      = var.runbook_url
  namespace        = module.logs.namespace
  metric_names     = module.logs.metric_names
  polling_interval = var.polling_interval
  alarm_topic_arn  = module.alerts.errors_topic_arn
  function_names   = local.function_names
  api_name         = local.name
  api_stage        = module.api.stage_name

  webhook_rate_limit     = var.webhook_rate_limit
  alert_on_field_changes = var.alert_on_field_changes

  queue_names = {
    orders  = module.order_queue.name
    changes = module.changes_queue.name
  }

  dead_letter_queue_names = {
    orders  = module.order_queue.dead_letter_name
    changes = module.changes_queue.dead_letter_name
  }

  unpublished_queue_name  = module.events.unpublished_name
  undelivered_queue_names = { for name, destination in module.destination : name => destination.undelivered_queue_name }
}

# By default, Lambda retries a failed asynchronous invocation twice, and each failure sends an e-mail. One retry covers
# transient errors. After any other failure, the next poll continues from the last successful one.
resource "aws_lambda_function_event_invoke_config" "poll_orders" {
  function_name                = aws_lambda_function.poll_orders.function_name
  maximum_retry_attempts       = 1
  maximum_event_age_in_seconds = min(var.polling_interval * 60, 21600)
}
