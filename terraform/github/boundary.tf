# The permissions boundary of a stage's functions: the most that their roles can allow, whatever a deployment writes into
# them. It covers what modules/roles and modules/destination grant, on all resources of the stage, and reading the streams
# of its tables.

data "aws_iam_policy_document" "boundary" {
  for_each = local.resources

  source_policy_documents = [data.aws_iam_policy_document.boundary_events[each.key].json]

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for group in each.value.log_groups : "${group}:*"]
  }

  statement {
    sid       = "ReadSecrets"
    actions   = ["ssm:GetParameter"]
    resources = each.value.parameters
  }

  statement {
    sid = "UseTables"
    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:DeleteItem",
      "dynamodb:DescribeStream",
      "dynamodb:GetItem",
      "dynamodb:GetRecords",
      "dynamodb:GetShardIterator",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = each.value.tables
  }

  statement {
    sid       = "FindStreams"
    actions   = ["dynamodb:ListStreams"]
    resources = ["*"]
  }

  statement {
    sid = "UseQueues"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage",
      "sqs:SendMessage",
    ]
    resources = each.value.queues
  }

  statement {
    sid       = "PublishAlerts"
    actions   = ["sns:Publish"]
    resources = each.value.topics
  }

  # Also for AWS managed keys, whose key policies allow the use by every principal of the account: a permissions boundary
  # can limit what such a policy allows.
  statement {
    sid       = "UseKeysOfServices"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    resources = ["arn:${local.partition}:kms:${var.stages[each.key]}:*:key/*"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in local.encrypting_services : "${service}.${var.stages[each.key]}.amazonaws.com"]
    }
  }
}

resource "aws_iam_policy" "boundary" {
  for_each = var.stages

  name        = "${local.names[each.key].name}-boundary"
  path        = "/github/"
  description = "Permissions boundary of the functions of the stage ${each.key}."
  policy      = data.aws_iam_policy_document.boundary[each.key].json
}
