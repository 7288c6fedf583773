# A role is handed on only with its policy in place: Lambda refuses an event source that the role may not read yet.

output "poll_orders_arn" {
  description = "ARN of the role of poll_orders."
  value       = aws_iam_role.function["poll_orders"].arn
  depends_on  = [aws_iam_role_policy.function]
}

output "cart_converted_arn" {
  description = "ARN of the role of cart_converted."
  value       = aws_iam_role.function["cart_converted"].arn
  depends_on  = [aws_iam_role_policy.function]
}

output "replicate_orders_arn" {
  description = "ARN of the role of replicate_orders."
  value       = aws_iam_role.function["replicate_orders"].arn
  depends_on  = [aws_iam_role_policy.function]
}
