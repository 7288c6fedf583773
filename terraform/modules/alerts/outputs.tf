# A topic is handed on only with its policy in place: an alarm that fires before would be lost.

output "errors_topic_arn" {
  description = "ARN of the topic of application errors."
  value       = aws_sns_topic.errors.arn
  depends_on  = [aws_sns_topic_policy.errors]
}

output "dead_letters_topic_arn" {
  description = "ARN of the topic of dead letters."
  value       = aws_sns_topic.dead_letters.arn
  depends_on  = [aws_sns_topic_policy.dead_letters]
}
