# Two roles per stage for GitHub Actions, assumed through OpenID Connect without stored keys: one deploys, one reads the
# state for the plan of a pull request. Each role trusts one environment of the repository, so that the protection rules
# of the environment (branches, reviewers) apply to it.

provider "aws" {
  # IAM is a global service; the region only selects the endpoint.
  region = values(var.stages)[0]

  default_tags {
    tags = {
      application = "order-replication"
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  issuer   = "token.actions.githubusercontent.com"
  audience = "sts.amazonaws.com"
  provider = "arn:${local.partition}:iam::${local.account}:oidc-provider/${local.issuer}"

  owner = split("/", var.repository)[0]
  name  = split("/", var.repository)[1]

  # How the subject of a token names the repository. GitHub's IDs cannot be reused, unlike names: whoever registers the name
  # of a deleted repository gets tokens with its mutable subject.
  subjects = concat(
    [for id in compact([var.repository_id]) : "repo:${local.owner}@${var.owner_id}/${local.name}@${id}"],
    [for name in [var.repository] : "repo:${name}" if coalesce(var.trust_mutable_subject, var.repository_id == null)],
  )

  branches = { for stage in keys(var.stages) : stage => stage == "prod" ? "main" : stage }

  # Claims that a token must have in addition, by GitHub environment: <stage> for deployments, <stage>-plan for plans. An
  # environment without protection rules can be used by every workflow of every branch. The conditions on branch and
  # workflow keep such workflows from the deployment roles.
  #
  # The ref of a pull request is refs/pull/<number>/merge. Neither its branches nor the content of its workflow can be
  # required, because AWS STS has no condition key for the target branch and the pull request can change the workflow.
  claims = merge(
    {
      for stage, branch in local.branches : stage => {
        ref              = "refs/heads/${branch}"
        job_workflow_ref = "${var.repository}/.github/workflows/deploy.yml@refs/heads/${branch}"
      }
    },
    { for stage in keys(var.stages) : "${stage}-plan" => { ref = "refs/pull/*/merge" } },
  )
}

resource "aws_iam_openid_connect_provider" "github" {
  for_each = toset(var.identity_provider_exists ? [] : ["https://${local.issuer}"])

  url            = each.value
  client_id_list = [local.audience]
}

data "aws_iam_policy_document" "trust" {
  # checkov:skip=CKV_AWS_358:The subject claim names one repository and one environment; checkov cannot resolve the variables.
  for_each = local.claims

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = [local.audience]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = [for subject in local.subjects : "${subject}:environment:${each.key}"]
    }

    dynamic "condition" {
      for_each = merge(each.value, { for id in compact([var.repository_id]) : "repository_id" => id })

      content {
        test     = "StringLike"
        variable = "${local.issuer}:${condition.key}"
        values   = [condition.value]
      }
    }
  }
}

locals {
  deploy_policies = merge([
    for part, documents in {
      read      = data.aws_iam_policy_document.read
      data      = data.aws_iam_policy_document.write_data
      functions = data.aws_iam_policy_document.write_functions
      events    = data.aws_iam_policy_document.write_events
    } : { for stage, document in documents : "${stage}-${part}" => { stage = stage, part = part, json = document.json } }
  ]...)
}

# The path excludes these roles from the resources that the deployment role can change, so that it cannot extend its own
# permissions.
resource "aws_iam_role" "deploy" {
  for_each = var.stages

  name               = "order-replication-${each.key}-deploy"
  path               = "/github/"
  description        = "Deploys the stage ${each.key} from GitHub Actions."
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json

  # A change of a table's time to live can take an hour.
  max_session_duration = 7200

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_policy" "deploy" {
  for_each = local.deploy_policies

  name        = "order-replication-${each.value.stage}-deploy-${each.value.part}"
  path        = "/github/"
  description = "Part of the permissions to deploy the stage ${each.value.stage}."
  policy      = each.value.json
}

resource "aws_iam_role_policy_attachment" "deploy" {
  for_each = local.deploy_policies

  role       = aws_iam_role.deploy[each.value.stage].name
  policy_arn = aws_iam_policy.deploy[each.key].arn
}

resource "aws_iam_role" "plan" {
  for_each = var.stages

  name                 = "order-replication-${each.key}-plan"
  path                 = "/github/"
  description          = "Plans the stage ${each.key} for pull requests."
  assume_role_policy   = data.aws_iam_policy_document.trust["${each.key}-plan"].json
  max_session_duration = 3600

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "plan" {
  for_each = var.stages

  name   = "plan"
  role   = aws_iam_role.plan[each.key].id
  policy = data.aws_iam_policy_document.plan[each.key].json
}
