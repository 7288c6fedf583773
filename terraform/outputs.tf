output "webhook_url" {
  description = "Destination for the store's webhook on store/cart/converted."
  value       = "${module.api.url}/cart-converted"
}

output "orders_table" {
  description = "Name of the table that holds the replicated orders."
  value       = module.tables.orders_name
}

output "jobs_table" {
  description = "Name of the table that holds one record per poll."
  value       = module.tables.jobs_name
}

output "webhooks_table" {
  description = "Name of the table that holds one record per webhook."
  value       = module.tables.webhooks_name
}

output "orders_queue_url" {
  description = "URL of the queue of order ids."
  value       = module.order_queue.url
}

output "dead_letter_queue_url" {
  description = "URL of the queue of order ids that were given up."
  value       = module.order_queue.dead_letter_url
}

output "errors_topic_arn" {
  description = "ARN of the topic that application errors are published to."
  value       = module.alerts.errors_topic_arn
}

output "dead_letters_topic_arn" {
  description = "ARN of the topic that tells of dead letters."
  value       = module.alerts.dead_letters_topic_arn
}

output "function_names" {
  description = "Name of each Lambda function, by its handler."
  value = {
    poll_orders      = aws_lambda_function.poll_orders.function_name
    cart_converted   = aws_lambda_function.api_handler.function_name
    replicate_orders = aws_lambda_function.replicate_orders.function_name
  }
}

output "dashboard_url" {
  description = "Address of the CloudWatch dashboard."
  value       = "https://${var.region}.console.aws.amazon.com/cloudwatch/home?region=${var.region}#dashboards/dashboard/${module.monitoring.dashboard_name}"
}
