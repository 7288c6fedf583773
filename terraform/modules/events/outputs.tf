output "bus_name" {
  description = "Name of the event bus."
  value       = aws_cloudwatch_event_bus.orders.name
}

output "bus_arn" {
  description = "ARN of the event bus."
  value       = aws_cloudwatch_event_bus.orders.arn
}

output "unpublished_arn" {
  description = "ARN of the queue of changes that could not be published."
  value       = aws_sqs_queue.unpublished.arn
}

output "unpublished_name" {
  description = "Name of the queue of changes that could not be published."
  value       = aws_sqs_queue.unpublished.name
}

output "unpublished_url" {
  description = "URL of the queue of changes that could not be published."
  value       = aws_sqs_queue.unpublished.url
}

output "undelivered_arn_prefix" {
  description = "Beginning of the ARNs of the queues of undelivered events."
  value       = "${local.arn_prefix}:${var.name}-to-"
}
