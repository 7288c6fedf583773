output "deploy_role_arns" {
  description = "Role of each stage's environment: the value of its variable AWS_ROLE_ARN."
  value       = { for stage, role in aws_iam_role.deploy : stage => role.arn }
}

output "plan_role_arns" {
  description = "Role of each environment <stage>-plan: the value of its variable AWS_ROLE_ARN."
  value       = { for stage, role in aws_iam_role.plan : stage => role.arn }
}

output "deploy_policies" {
  description = "What whoever deploys a stage must be allowed, as JSON. It fits a role as an inline policy; for a managed one it is too long."
  value       = { for stage in keys(var.stages) : stage => data.aws_iam_policy_document.deploy[stage].json }
}
