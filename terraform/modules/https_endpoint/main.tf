# An HTTPS endpoint as a target of EventBridge: an API destination, and the connection that authorizes its requests.

locals {
  # A connection cannot be created without a secret, and the provider would store the secret in its state: it has no
  # write-only argument (hashicorp/terraform-provider-aws#45621). The command destinations authorize sets the secret.
  placeholder = "not-authorized-yet"

  authorization_types = {
    api_key = "API_KEY"
    basic   = "BASIC"
    oauth   = "OAUTH_CLIENT_CREDENTIALS"
  }

  authorization = {
    for kind, settings in { api_key = var.api_key, basic = var.basic, oauth = var.oauth } : kind => settings if settings != null
  }
}

# A change of the authorization replaces the connection, which must be authorized again afterwards.
resource "terraform_data" "authorization" {
  input = local.authorization
}

# Each update of a connection by the provider would write the placeholder again. Therefore every change is ignored, and a
# connection is only created and replaced.
#
# The secret is encrypted with the key of Secrets Manager. A customer-managed key would need the tag
# EventBridgeApiDestinations, and would make every change of the key a new connection.
resource "aws_cloudwatch_event_connection" "https" {
  name               = var.name
  description        = "Authorizes requests to the destination ${var.destination}."
  authorization_type = local.authorization_types[one(keys(local.authorization))]

  auth_parameters {
    dynamic "api_key" {
      for_each = var.api_key == null ? [] : [var.api_key]

      content {
        key   = api_key.value.header
        value = local.placeholder
      }
    }

    dynamic "basic" {
      for_each = var.basic == null ? [] : [var.basic]

      content {
        username = basic.value.username
        password = local.placeholder
      }
    }

    dynamic "oauth" {
      for_each = var.oauth == null ? [] : [var.oauth]

      content {
        authorization_endpoint = oauth.value.token_url
        http_method            = "POST"

        client_parameters {
          client_id     = oauth.value.client_id
          client_secret = local.placeholder
        }

        oauth_http_parameters {
          dynamic "body" {
            for_each = merge({ grant_type = "client_credentials" }, oauth.value.parameters)

            content {
              key             = body.key
              value           = body.value
              is_value_secret = false
            }
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes       = all
    replace_triggered_by = [terraform_data.authorization]
  }
}

resource "aws_cloudwatch_event_api_destination" "https" {
  name                             = var.name
  description                      = "Endpoint of the destination ${var.destination}."
  connection_arn                   = aws_cloudwatch_event_connection.https.arn
  invocation_endpoint              = var.url
  http_method                      = "POST"
  invocation_rate_limit_per_second = var.rate_per_second
}
