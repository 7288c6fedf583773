# Each output depends on the topic policy: an alarm that fires before the policy exists could not be published.

output "errors_topic_arn" {
  description = "ARN of the SNS topic for application errors and alarms."
  value       = aws_sns_topic.errors.arn
  depends_on  = [aws_sns_topic_policy.errors]
}

output "dead_letters_topic_arn" {
  description = "ARN of the SNS topic for the alarm on the dead-letter queue."
  value       = aws_sns_topic.dead_letters.arn
  depends_on  = [aws_sns_topic_policy.dead_letters]
}
