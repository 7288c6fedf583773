output "deploy_role_arns" {
  description = "ARNs of the deployment roles by stage: the value of the variable AWS_ROLE_ARN in the environment <stage>."
  value       = { for stage, role in aws_iam_role.deploy : stage => role.arn }
}

output "plan_role_arns" {
  description = "ARNs of the plan roles by stage: the value of the variable AWS_ROLE_ARN in the environment <stage>-plan."
  value       = { for stage, role in aws_iam_role.plan : stage => role.arn }
}

output "permissions_boundary_arns" {
  description = "ARNs of the permissions boundaries by stage: the value of the variable PERMISSIONS_BOUNDARY in both environments of a stage."
  value       = { for stage, policy in aws_iam_policy.boundary : stage => policy.arn }
}

output "deploy_policy_arns" {
  description = "ARNs of the policies that together allow the deployment of a stage, by stage, for someone who deploys by hand."
  value       = { for stage in keys(var.stages) : stage => [for key, its in local.deploy_policies : aws_iam_policy.deploy[key].arn if its.stage == stage] }
}
