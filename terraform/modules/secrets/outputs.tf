output "access_token_name" {
  description = "Name of the SSM parameter for the store's access token."
  value       = aws_ssm_parameter.access_token.name
}

output "access_token_arn" {
  description = "ARN of the SSM parameter for the store's access token."
  value       = aws_ssm_parameter.access_token.arn
}

output "client_secret_name" {
  description = "Name of the SSM parameter for the client secret of the store's API account."
  value       = aws_ssm_parameter.client_secret.name
}

output "client_secret_arn" {
  description = "ARN of the SSM parameter for the client secret of the store's API account."
  value       = aws_ssm_parameter.client_secret.arn
}

output "webhook_token_name" {
  description = "Name of the SSM parameter for the webhook token."
  value       = aws_ssm_parameter.webhook_token.name
}

output "webhook_token_arn" {
  description = "ARN of the SSM parameter for the webhook token."
  value       = aws_ssm_parameter.webhook_token.arn
}

output "webhook_token_previous_name" {
  description = "Name of the SSM parameter for the webhook token that is accepted during a rotation."
  value       = aws_ssm_parameter.webhook_token_previous.name
}

output "webhook_token_previous_arn" {
  description = "ARN of the SSM parameter for the webhook token that is accepted during a rotation."
  value       = aws_ssm_parameter.webhook_token_previous.arn
}

output "parameter_arns" {
  description = "ARNs of all SSM parameters of the stage."
  value = [
    aws_ssm_parameter.access_token.arn,
    aws_ssm_parameter.client_secret.arn,
    aws_ssm_parameter.webhook_token.arn,
    aws_ssm_parameter.webhook_token_previous.arn,
  ]
}
