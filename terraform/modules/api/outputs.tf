output "stage_name" {
  description = "Name of the API stage."
  value       = aws_api_gateway_stage.api.stage_name
}

output "url" {
  description = "Base URL of the API, without a trailing slash."
  value       = aws_api_gateway_stage.api.invoke_url
}
