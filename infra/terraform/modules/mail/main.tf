# How mails are sent, and who hears of those that come back.

resource "aws_sesv2_email_identity" "domain" {
  count                  = local.given.MakesIdentity ? 1 : 0
  email_identity         = local.given.MailFrom_part1
  configuration_set_name = aws_sesv2_configuration_set.mails.configuration_set_name

  dkim_signing_attributes {
    next_signing_key_length = local.source.Domain.DkimSigningAttributes.NextSigningKeyLength
  }
}

resource "aws_sesv2_configuration_set" "mails" {
  configuration_set_name = var.name

  delivery_options {
    tls_policy = "REQUIRE"
  }

  reputation_options {
    reputation_metrics_enabled = local.source.Mails.ReputationOptions.ReputationMetricsEnabled
  }

  suppression_options {
    suppressed_reasons = local.source.Mails.SuppressionOptions.SuppressedReasons
  }
}

resource "aws_sesv2_configuration_set_event_destination" "refused" {
  configuration_set_name = aws_sesv2_configuration_set.mails.configuration_set_name
  event_destination_name = local.source.Refused.EventDestination.Name

  event_destination {
    enabled              = local.source.Refused.EventDestination.Enabled
    matching_event_types = [for one in local.source.Refused.EventDestination.MatchingEventTypes : upper(one)]

    sns_destination {
      topic_arn = var.operators
    }
  }
}
