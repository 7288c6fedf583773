output "orders_name" {
  description = "Name of the Orders table."
  value       = aws_dynamodb_table.orders.name
}

output "orders_arn" {
  description = "ARN of the Orders table."
  value       = aws_dynamodb_table.orders.arn
}

output "orders_stream_arn" {
  description = "ARN of the stream of the Orders table."
  value       = aws_dynamodb_table.orders.stream_arn
}

output "jobs_name" {
  description = "Name of the Jobs table."
  value       = aws_dynamodb_table.jobs.name
}

output "jobs_arn" {
  description = "ARN of the Jobs table."
  value       = aws_dynamodb_table.jobs.arn
}

output "webhooks_name" {
  description = "Name of the Webhooks table."
  value       = aws_dynamodb_table.webhooks.name
}

output "webhooks_arn" {
  description = "ARN of the Webhooks table."
  value       = aws_dynamodb_table.webhooks.arn
}

output "erasures_name" {
  description = "Name of the Erasures table."
  value       = aws_dynamodb_table.erasures.name
}

output "erasures_arn" {
  description = "ARN of the Erasures table."
  value       = aws_dynamodb_table.erasures.arn
}
