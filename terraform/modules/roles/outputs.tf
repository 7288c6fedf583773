# Each output depends on the role policies: Lambda rejects an event source mapping whose queue the role cannot read.

output "poll_orders_arn" {
  description = "ARN of the execution role of poll_orders."
  value       = aws_iam_role.function["poll_orders"].arn
  depends_on  = [aws_iam_role_policy.function]
}

output "cart_converted_arn" {
  description = "ARN of the execution role of cart_converted."
  value       = aws_iam_role.function["cart_converted"].arn
  depends_on  = [aws_iam_role_policy.function]
}

output "replicate_orders_arn" {
  description = "ARN of the execution role of replicate_orders."
  value       = aws_iam_role.function["replicate_orders"].arn
  depends_on  = [aws_iam_role_policy.function]
}

output "follow_orders_arn" {
  description = "ARN of the execution role of follow_orders."
  value       = aws_iam_role.function["follow_orders"].arn
  depends_on  = [aws_iam_role_policy.function]
}

output "publish_changes_arn" {
  description = "ARN of the execution role of publish_changes."
  value       = aws_iam_role.function["publish_changes"].arn
  depends_on  = [aws_iam_role_policy.function]
}

output "kms_key_arn" {
  description = "The customer-managed key, once the functions may use it, or null."
  value       = var.kms_key_arn
  depends_on  = [aws_iam_role_policy.keys]
}
