data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

# Topics are encrypted only with a customer-managed key: CloudWatch alarms cannot publish to a topic that is encrypted
# with the AWS managed key. Alerts contain IDs and error messages, never order data or secrets.

resource "aws_sns_topic" "errors" {
  # checkov:skip=CKV_AWS_26:Encrypted if kms_key_arn is set; CloudWatch alarms cannot publish to a topic with the AWS managed key.
  name              = "${var.name}-errors"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic" "dead_letters" {
  # checkov:skip=CKV_AWS_26:Encrypted if kms_key_arn is set; CloudWatch alarms cannot publish to a topic with the AWS managed key.
  name              = "${var.name}-dead-letters"
  kms_master_key_id = var.kms_key_arn
}

# The functions publish with the permissions of their roles. The topic policy allows the alarms of the stage to publish
# and denies requests without TLS.
data "aws_iam_policy_document" "topic" {
  for_each = {
    errors       = aws_sns_topic.errors.arn
    dead_letters = aws_sns_topic.dead_letters.arn
  }

  statement {
    sid       = "AllowAlarmsOfTheStage"
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

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.current.partition}:cloudwatch:${var.region}:${data.aws_caller_identity.current.account_id}:alarm:${var.name}-*"]
    }
  }

  statement {
    sid       = "DenyInsecureTransport"
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

# An HTTPS endpoint must confirm its subscription by itself, as those of incident management services do.
resource "aws_sns_topic_subscription" "additional" {
  for_each = merge([
    for topic, arn in { errors = aws_sns_topic.errors.arn, dead_letters = aws_sns_topic.dead_letters.arn } : {
      for subscription in var.subscriptions :
      "${topic} ${subscription.protocol} ${subscription.endpoint}" => merge(subscription, { topic_arn = arn })
    }
  ]...)

  topic_arn              = each.value.topic_arn
  protocol               = each.value.protocol
  endpoint               = each.value.endpoint
  endpoint_auto_confirms = each.value.protocol == "https"
}
