output "arn" {
  description = "ARN of the API destination."
  value       = aws_cloudwatch_event_api_destination.https.arn
}

output "connection_name" {
  description = "Name of the connection."
  value       = aws_cloudwatch_event_connection.https.name
}
