data "aws_caller_identity" "current" {}

# Without a customer-managed key a topic has no encryption of its own: CloudWatch cannot publish to one that is encrypted
# with the key AWS manages. An alert holds ids and errors, no order and no secret.

resource "aws_sns_topic" "errors" {
  # checkov:skip=CKV_AWS_26:Encrypted when kms_key_arn is given; with the AWS-managed key no alarm could be published.
  name              = "${var.name}-errors"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic" "dead_letters" {
  # checkov:skip=CKV_AWS_26:Encrypted when kms_key_arn is given; with the AWS-managed key no alarm could be published.
  name              = "${var.name}-dead-letters"
  kms_master_key_id = var.kms_key_arn
}

# The functions publish by their roles; a policy is what lets alarms in, and plain HTTP out.
data "aws_iam_policy_document" "topic" {
  for_each = {
    errors       = aws_sns_topic.errors.arn
    dead_letters = aws_sns_topic.dead_letters.arn
  }

  statement {
    sid       = "AlarmsOfThisAccount"
    actions   = ["sns:Publish"]
    resources = [each.value]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [each.value]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sns_topic_policy" "errors" {
  arn    = aws_sns_topic.errors.arn
  policy = data.aws_iam_policy_document.topic["errors"].json
}

resource "aws_sns_topic_policy" "dead_letters" {
  arn    = aws_sns_topic.dead_letters.arn
  policy = data.aws_iam_policy_document.topic["dead_letters"].json
}

resource "aws_sns_topic_subscription" "errors" {
  topic_arn = aws_sns_topic.errors.arn
  protocol  = "email"
  endpoint  = var.email
}

resource "aws_sns_topic_subscription" "dead_letters" {
  topic_arn = aws_sns_topic.dead_letters.arn
  protocol  = "email"
  endpoint  = var.email
}
