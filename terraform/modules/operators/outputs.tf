output "policies" {
  description = "IAM policy documents (JSON) by what they allow: read, operate and erase."
  value = {
    read    = data.aws_iam_policy_document.read.json
    operate = data.aws_iam_policy_document.operate.json
    erase   = data.aws_iam_policy_document.erase.json
  }
}
