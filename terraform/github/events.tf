# What the events of a stage need: of a deployment to create the bus and the destinations, and of the roles of the destinations
# to send to the receivers. A managed policy of its own, because of the limit in policies.tf.

locals {
  events = {
    for stage, its in local.names : stage => {
      buses = ["arn:${local.partition}:events:${its.place}:event-bus/${its.name}"]
      rules = ["arn:${local.partition}:events:${its.place}:rule/${its.name}/${its.name}-to-*"]
      roles = ["arn:${local.partition}:iam::${local.account}:role/${its.name}-to-*"]

      connections      = ["arn:${local.partition}:events:${its.place}:connection/${its.name}-to-*"]
      api_destinations = ["arn:${local.partition}:events:${its.place}:api-destination/${its.name}-to-*"]

      # EventBridge keeps the secret of a connection in Secrets Manager, under this name.
      secrets = ["arn:${local.partition}:secretsmanager:${its.place}:secret:events!connection/${its.name}-to-*"]

      receivers = lookup(var.destination_arns, stage, [])
    }
  }

  # Used by EventBridge to read the secrets of connections. The first connection of an account creates it.
  service_linked_role = "arn:${local.partition}:iam::${local.account}:role/aws-service-role/apidestinations.events.amazonaws.com/AWSServiceRoleForAmazonEventBridgeApiDestinations"
}

data "aws_iam_policy_document" "write_events" {
  for_each = local.events

  statement {
    sid       = "WriteBus"
    actions   = ["events:CreateEventBus", "events:DeleteEventBus", "events:DescribeEventBus", "events:UpdateEventBus"]
    resources = each.value.buses
  }

  statement {
    sid = "WriteRules"
    actions = [
      "events:DeleteRule",
      "events:DescribeRule",
      "events:ListTargetsByRule",
      "events:PutRule",
      "events:PutTargets",
      "events:RemoveTargets",
    ]
    resources = each.value.rules
  }

  statement {
    sid       = "TagEvents"
    actions   = ["events:ListTagsForResource", "events:TagResource", "events:UntagResource"]
    resources = concat(each.value.buses, each.value.rules)
  }

  # Terraform updates no connection: that would replace its secret.
  statement {
    sid       = "WriteConnections"
    actions   = ["events:CreateConnection", "events:DeleteConnection", "events:DescribeConnection"]
    resources = each.value.connections
  }

  # EventBridge requires these of whoever creates or deletes a connection.
  statement {
    sid = "WriteSecretsOfConnections"
    actions = [
      "secretsmanager:CreateSecret",
      "secretsmanager:DeleteSecret",
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetSecretValue",
      "secretsmanager:PutSecretValue",
      "secretsmanager:UpdateSecret",
    ]
    resources = each.value.secrets
  }

  statement {
    sid = "WriteApiDestinations"
    actions = [
      "events:CreateApiDestination",
      "events:DeleteApiDestination",
      "events:DescribeApiDestination",
      "events:UpdateApiDestination",
    ]
    resources = concat(each.value.api_destinations, each.value.connections)
  }

  statement {
    sid       = "CreateServiceLinkedRole"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = [local.service_linked_role]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = ["apidestinations.events.amazonaws.com"]
    }
  }

  statement {
    sid       = "PassRolesToEventBridge"
    actions   = ["iam:PassRole"]
    resources = each.value.roles

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["events.amazonaws.com"]
    }
  }
}

# The part of the permissions boundary for events. The receivers are listed, because a boundary limits whom the stage can
# send orders to.
data "aws_iam_policy_document" "boundary_events" {
  for_each = local.events

  statement {
    sid       = "SendEvents"
    actions   = ["events:InvokeApiDestination", "events:PutEvents"]
    resources = concat(each.value.buses, each.value.api_destinations)
  }

  dynamic "statement" {
    for_each = length(each.value.receivers) == 0 ? [] : [each.value.receivers]

    content {
      sid       = "SendEventsToReceivers"
      actions   = ["events:PutEvents", "lambda:InvokeFunction", "sqs:SendMessage"]
      resources = statement.value
    }
  }
}
