output "group_names" {
  description = "Name of each function's log group, by handler."
  value       = { for handler, group in aws_cloudwatch_log_group.function : handler => group.name }
}

output "group_arns" {
  description = "ARN of each function's log group, by handler."
  value       = { for handler, group in aws_cloudwatch_log_group.function : handler => group.arn }
}

output "access_group_arn" {
  description = "ARN of the log group for the API's access logs."
  value       = aws_cloudwatch_log_group.access.arn
}

output "namespace" {
  description = "CloudWatch namespace of the metrics."
  value       = var.namespace
  depends_on  = [aws_cloudwatch_log_metric_filter.function]
}
