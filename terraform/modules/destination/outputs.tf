output "undelivered_queue_arn" {
  description = "ARN of the queue of undelivered events."
  value       = aws_sqs_queue.undelivered.arn
}

output "undelivered_queue_name" {
  description = "Name of the queue of undelivered events."
  value       = aws_sqs_queue.undelivered.name
}

output "undelivered_queue_url" {
  description = "URL of the queue of undelivered events."
  value       = aws_sqs_queue.undelivered.url
}

output "rule_name" {
  description = "Name of the rule."
  value       = aws_cloudwatch_event_rule.destination.name
}
