output "name" {
  description = "Name of the queue of order IDs."
  value       = aws_sqs_queue.queue.name
}

output "arn" {
  description = "ARN of the queue of order IDs."
  value       = aws_sqs_queue.queue.arn
}

output "url" {
  description = "URL of the queue of order IDs."
  value       = aws_sqs_queue.queue.url
}

output "dead_letter_name" {
  description = "Name of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.name
}

output "dead_letter_arn" {
  description = "ARN of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.arn
}

output "dead_letter_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.url
}
