# CloudFront before Mediamill, with a firewall. Its provider is one for us-east-1.

locals {
  distribution = local.source.Distribution.DistributionConfig
  cached       = local.source.Signed.CachePolicyConfig
  said         = local.source.Headers.ResponseHeadersPolicyConfig.SecurityHeadersConfig
  unlogged     = local.source.WallLogs
}

resource "aws_cloudfront_distribution" "distribution" {
  enabled         = true
  comment         = var.name
  aliases         = [var.address]
  http_version    = local.distribution.HttpVersion
  is_ipv6_enabled = local.distribution.IPV6Enabled
  price_class     = local.distribution.PriceClass
  web_acl_id      = aws_wafv2_web_acl.wall.arn

  viewer_certificate {
    acm_certificate_arn      = var.certificate
    ssl_support_method       = local.distribution.ViewerCertificate.SslSupportMethod
    minimum_protocol_version = "TLSv1.2_2021"
  }

  origin {
    origin_id   = local.distribution.Origins[0].Id
    domain_name = var.origin

    custom_origin_config {
      http_port                = 80
      https_port               = 443
      origin_protocol_policy   = local.distribution.Origins[0].CustomOriginConfig.OriginProtocolPolicy
      origin_ssl_protocols     = local.distribution.Origins[0].CustomOriginConfig.OriginSSLProtocols
      origin_read_timeout      = local.distribution.Origins[0].CustomOriginConfig.OriginReadTimeout
      origin_keepalive_timeout = local.distribution.Origins[0].CustomOriginConfig.OriginKeepaliveTimeout
    }
  }

  default_cache_behavior {
    target_origin_id           = local.distribution.DefaultCacheBehavior.TargetOriginId
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = local.distribution.DefaultCacheBehavior.AllowedMethods
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = local.distribution.DefaultCacheBehavior.CachePolicyId
    origin_request_policy_id   = jsondecode(templatestring(local.text["Distribution"], local.filled)).DistributionConfig.DefaultCacheBehavior.OriginRequestPolicyId
    response_headers_policy_id = aws_cloudfront_response_headers_policy.headers.id
    compress                   = local.distribution.DefaultCacheBehavior.Compress
  }

  dynamic "ordered_cache_behavior" {
    for_each = local.distribution.CacheBehaviors

    content {
      path_pattern               = ordered_cache_behavior.value.PathPattern
      target_origin_id           = ordered_cache_behavior.value.TargetOriginId
      viewer_protocol_policy     = "redirect-to-https"
      allowed_methods            = ["GET", "HEAD"]
      cached_methods             = ["GET", "HEAD"]
      cache_policy_id            = aws_cloudfront_cache_policy.signed.id
      response_headers_policy_id = aws_cloudfront_response_headers_policy.headers.id
      compress                   = ordered_cache_behavior.value.Compress
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }
}

locals {
  filled = merge(local.given, {
    Wall_Arn = "", Headers = "", Signed = ""
  })
}

resource "aws_cloudfront_cache_policy" "signed" {
  name        = "${var.name}-signed"
  comment     = local.cached.Comment
  min_ttl     = local.cached.MinTTL
  default_ttl = local.cached.DefaultTTL
  max_ttl     = local.cached.MaxTTL

  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_brotli = local.cached.ParametersInCacheKeyAndForwardedToOrigin.EnableAcceptEncodingBrotli
    enable_accept_encoding_gzip   = local.cached.ParametersInCacheKeyAndForwardedToOrigin.EnableAcceptEncodingGzip

    cookies_config {
      cookie_behavior = local.cached.ParametersInCacheKeyAndForwardedToOrigin.CookiesConfig.CookieBehavior
    }

    headers_config {
      header_behavior = local.cached.ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig.HeaderBehavior
    }

    query_strings_config {
      query_string_behavior = local.cached.ParametersInCacheKeyAndForwardedToOrigin.QueryStringsConfig.QueryStringBehavior
    }
  }
}

resource "aws_cloudfront_response_headers_policy" "headers" {
  name    = "${var.name}-headers"
  comment = local.source.Headers.ResponseHeadersPolicyConfig.Comment

  security_headers_config {
    strict_transport_security {
      access_control_max_age_sec = local.said.StrictTransportSecurity.AccessControlMaxAgeSec
      include_subdomains         = local.said.StrictTransportSecurity.IncludeSubdomains
      preload                    = local.said.StrictTransportSecurity.Preload
      override                   = true
    }

    content_type_options {
      override = local.said.ContentTypeOptions.Override
    }
  }
}

# -- the firewall ----------------------------------------------------------------------------------

resource "aws_wafv2_web_acl" "wall" {
  name  = var.name
  scope = local.source.Wall.Scope

  default_action {
    allow {}
  }

  visibility_config {
    sampled_requests_enabled   = true
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
  }

  dynamic "rule" {
    for_each = { for one in local.source.Wall.Rules : one.Name => one }

    content {
      name     = rule.key
      priority = rule.value.Priority

      dynamic "action" {
        for_each = try([rule.value.Action.Block], [])

        content {
          block {
            custom_response {
              response_code = action.value.CustomResponse.ResponseCode

              dynamic "response_header" {
                for_each = action.value.CustomResponse.ResponseHeaders

                content {
                  name  = response_header.value.Name
                  value = response_header.value.Value
                }
              }
            }
          }
        }
      }

      dynamic "override_action" {
        for_each = can(rule.value.OverrideAction) ? [true] : []

        content {
          none {}
        }
      }

      statement {
        dynamic "rate_based_statement" {
          for_each = try([rule.value.Statement.RateBasedStatement], [])

          content {
            limit              = var.requests
            aggregate_key_type = rate_based_statement.value.AggregateKeyType
          }
        }

        dynamic "managed_rule_group_statement" {
          for_each = try([rule.value.Statement.ManagedRuleGroupStatement], [])

          content {
            vendor_name = managed_rule_group_statement.value.VendorName
            name        = managed_rule_group_statement.value.Name

            dynamic "rule_action_override" {
              for_each = try(managed_rule_group_statement.value.RuleActionOverrides, [])

              content {
                name = rule_action_override.value.Name

                action_to_use {
                  count {}
                }
              }
            }
          }
        }
      }

      visibility_config {
        sampled_requests_enabled   = rule.value.VisibilityConfig.SampledRequestsEnabled
        cloudwatch_metrics_enabled = rule.value.VisibilityConfig.CloudWatchMetricsEnabled
        metric_name                = rule.value.VisibilityConfig.MetricName
      }
    }
  }

  lifecycle {
    precondition {
      condition     = local.given.Region == "us-east-1"
      error_message = "CloudFront takes a firewall and a certificate of us-east-1: providers = { aws = aws.edge }, with one for that region."
    }
  }
}

resource "aws_wafv2_web_acl_logging_configuration" "wall_logs" {
  resource_arn            = aws_wafv2_web_acl.wall.arn
  log_destination_configs = [aws_cloudwatch_log_group.refused.arn]

  dynamic "redacted_fields" {
    for_each = local.unlogged.RedactedFields

    content {
      dynamic "single_header" {
        for_each = try([redacted_fields.value.SingleHeader], [])

        content {
          name = single_header.value.Name
        }
      }

      dynamic "query_string" {
        for_each = try([redacted_fields.value.QueryString], [])

        content {}
      }

      dynamic "uri_path" {
        for_each = try([redacted_fields.value.UriPath], [])

        content {}
      }
    }
  }

  logging_filter {
    default_behavior = local.unlogged.LoggingFilter.DefaultBehavior

    dynamic "filter" {
      for_each = local.unlogged.LoggingFilter.Filters

      content {
        behavior    = filter.value.Behavior
        requirement = filter.value.Requirement

        dynamic "condition" {
          for_each = filter.value.Conditions

          content {
            action_condition {
              action = condition.value.ActionCondition.Action
            }
          }
        }
      }
    }
  }
}

resource "aws_cloudwatch_log_group" "refused" {
  name              = "aws-waf-logs-${var.name}"
  retention_in_days = var.log_days
  kms_key_id        = aws_kms_key.key.arn
}

resource "aws_kms_key" "key" {
  description         = local.source.Key.Description
  enable_key_rotation = true
  policy              = jsonencode(jsondecode(templatestring(local.text["Key"], local.given)).KeyPolicy)
}
