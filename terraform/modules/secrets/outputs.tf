output "access_token_name" {
  description = "Name of the SSM parameter for the store's access token."
  value       = aws_ssm_parameter.access_token.name
}

output "access_token_arn" {
  description = "ARN pattern of the SSM parameter for the store's access token."
  value       = local.arns.access_token
}

output "client_secret_name" {
  description = "Name of the SSM parameter for the client secret of the store's API account."
  value       = aws_ssm_parameter.client_secret.name
}

output "client_secret_arn" {
  description = "ARN pattern of the SSM parameter for the client secret of the store's API account."
  value       = local.arns.client_secret
}

output "webhook_token_name" {
  description = "Name of the SSM parameter for the webhook token."
  value       = aws_ssm_parameter.webhook_token.name
}

output "webhook_token_arn" {
  description = "ARN pattern of the SSM parameter for the webhook token."
  value       = local.arns.webhook_token
}

output "webhook_token_previous_name" {
  description = "Name of the SSM parameter for the webhook token that is accepted during a rotation."
  value       = aws_ssm_parameter.webhook_token_previous.name
}

output "webhook_token_previous_arn" {
  description = "ARN pattern of the SSM parameter for the webhook token that is accepted during a rotation."
  value       = local.arns.webhook_token_previous
}

output "parameter_arns" {
  description = "ARN patterns of all SSM parameters of the stage."
  value       = values(local.arns)
}
