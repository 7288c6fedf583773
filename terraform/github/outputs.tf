output "deploy_role_arns" {
  description = "ARNs of the deployment roles by stage: the value of the variable AWS_ROLE_ARN in the environment <stage>."
  value       = { for stage, role in aws_iam_role.deploy : stage => role.arn }
}

output "plan_role_arns" {
  description = "ARNs of the plan roles by stage: the value of the variable AWS_ROLE_ARN in the environment <stage>-plan."
  value       = { for stage, role in aws_iam_role.plan : stage => role.arn }
}

output "deploy_policies" {
  description = "Permissions that are required to deploy a stage, as JSON policy documents by stage. Attach one as an inline policy of a role; it exceeds the size limit of a managed policy."
  value       = { for stage in keys(var.stages) : stage => data.aws_iam_policy_document.deploy[stage].json }
}
