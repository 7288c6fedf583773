output "group_names" {
  description = "Names of the functions' log groups, by handler."
  value       = { for handler, group in aws_cloudwatch_log_group.function : handler => group.name }
}

output "group_arns" {
  description = "ARNs of the functions' log groups, by handler."
  value       = { for handler, group in aws_cloudwatch_log_group.function : handler => group.arn }
}

output "access_group_arn" {
  description = "ARN of the log group for API access logs."
  value       = aws_cloudwatch_log_group.access.arn
}

output "namespace" {
  description = "CloudWatch namespace of the metrics."
  value       = var.namespace
}

output "metric_names" {
  description = "Names of the metrics in the namespace: a map with each name as its key, so that an unknown name is an error."
  value       = { for metric in keys(local.metrics) : metric => metric }
  depends_on  = [aws_cloudwatch_log_metric_filter.function]
}
