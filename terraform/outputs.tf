output "webhook_url" {
  description = "URL to register as the destination of the store's webhook for store/cart/converted."
  value       = "${module.api.url}/cart-converted"
}

output "order_changed_url" {
  description = "URL to register as the destination of the store's webhooks for store/order/* and store/shipment/*."
  value       = "${module.api.url}/order-changed"
}

output "orders_table" {
  description = "Name of the DynamoDB table of replicated orders."
  value       = module.tables.orders_name
}

output "orders_stream_arn" {
  description = "ARN of the stream of the Orders table."
  value       = module.tables.orders_stream_arn
}

output "jobs_table" {
  description = "Name of the DynamoDB table of polls and of orders that fail."
  value       = module.tables.jobs_name
}

output "webhooks_table" {
  description = "Name of the DynamoDB table of webhook callbacks, one item per accepted callback."
  value       = module.tables.webhooks_name
}

output "erasures_table" {
  description = "Name of the DynamoDB table of the IDs of forgotten orders."
  value       = module.tables.erasures_name
}

output "orders_queue_url" {
  description = "URL of the SQS queue of the IDs of new orders."
  value       = module.order_queue.url
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue of the orders queue."
  value       = module.order_queue.dead_letter_url
}

output "changes_queue_url" {
  description = "URL of the SQS queue of the IDs of changed orders."
  value       = module.changes_queue.url
}

output "changes_dead_letter_queue_url" {
  description = "URL of the dead-letter queue of the changes queue."
  value       = module.changes_queue.dead_letter_url
}

output "event_bus_name" {
  description = "Name of the EventBridge bus that changes of orders are published to."
  value       = module.events.bus_name
}

output "unpublished_events_queue_url" {
  description = "URL of the queue of changes that could not be published as events."
  value       = module.events.unpublished_url
}

output "destinations" {
  description = "The destinations of events, by name: kind (sqs, https, lambda or event_bus), URL of the queue of undelivered events, and name of the connection to authorize, which only HTTPS endpoints have."
  value = {
    for name, destination in module.destination : name => {
      kind                  = local.destination_kinds[name]
      undelivered_queue_url = destination.undelivered_queue_url
      connection            = try(module.https_endpoint[name].connection_name, null)
    }
  }
}

output "errors_topic_arn" {
  description = "ARN of the SNS topic for application errors and alarms."
  value       = module.alerts.errors_topic_arn
}

output "dead_letters_topic_arn" {
  description = "ARN of the SNS topic for the alarms on the dead-letter queues."
  value       = module.alerts.dead_letters_topic_arn
}

output "function_names" {
  description = "Names of the Lambda functions, by handler."
  value = {
    poll_orders      = aws_lambda_function.poll_orders.function_name
    cart_converted   = aws_lambda_function.api_handler.function_name
    replicate_orders = aws_lambda_function.replicate_orders.function_name
    follow_orders    = aws_lambda_function.follow_orders.function_name
    publish_changes  = aws_lambda_function.publish_changes.function_name
  }
}

output "dashboard_url" {
  description = "URL of the CloudWatch dashboard."
  value       = "https://${var.region}.${local.console_domain}/cloudwatch/home?region=${var.region}#dashboards/dashboard/${module.monitoring.dashboard_name}"
}

output "operate_policies" {
  description = "IAM policy documents (JSON) for the people who run the operator's commands: read, operate and erase. See docs/operations.md for the policies that each command needs."
  value       = module.operators.policies
}
