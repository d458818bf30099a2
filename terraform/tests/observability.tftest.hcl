# modules/observability: insights, alarms, retention, collector, dashboard.

mock_provider "aws" {}

variables {
  namespace   = "huntaze"
  environment = "production"
  region      = "us-east-1"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  topic_arn   = "arn:aws:sns:us-east-1:123456789012:huntaze-cost-alerts"
}

run "clusters" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    clusters = { ai-team = {}, huntaze-cluster = { container_insights = "enhanced" } }
  }

  assert {
    condition     = { for name, cluster in aws_ecs_cluster.this : name => one(cluster.setting).value } == { ai-team = "enabled", huntaze-cluster = "enhanced" }
    error_message = "Container Insights is on, as asked for"
  }
}

run "alarms" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    services       = { "ai-team/worker" = { cpu_percent = 75 } }
    load_balancers = { web = { arn_suffix = "app/web/0123456789abcdef", requests_per_minute = 600 } }
  }

  assert {
    condition     = { for key, alarm in aws_cloudwatch_metric_alarm.service : key => alarm.threshold } == { "ai-team/worker/cpu" = 75, "ai-team/worker/memory" = 90 }
    error_message = "processor and memory of each service"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.service["ai-team/worker/cpu"].dimensions == tomap({ ClusterName = "ai-team", ServiceName = "worker" })
    error_message = "the alarm looks at the right service"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.requests["web"].threshold == 600 && aws_cloudwatch_metric_alarm.requests["web"].alarm_actions == toset([var.topic_arn])
    error_message = "requests are counted and told"
  }
}

run "retention_by_class" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    log_groups = { "/a" = { class = "standard" }, "/b" = { class = "critical" }, "/c" = { class = "audit" } }
  }

  assert {
    condition     = output.retention_days == { "/a" = 30, "/b" = 90, "/c" = 365 }
    error_message = "30, 90, at least 365"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this["/c"].skip_destroy && !aws_cloudwatch_log_group.this["/a"].skip_destroy
    error_message = "audit logs survive a destroy"
  }
}

run "audit_logs_are_never_shortened" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    log_groups = { "/c" = { class = "audit", exists = true } }
  }

  override_data {
    target = data.aws_cloudwatch_log_group.existing_audit
    values = { retention_in_days = 731 }
  }

  assert {
    condition     = output.retention_days == { "/c" = 731 }
    error_message = "what is kept two years stays so"
  }
}

run "audit_logs_kept_for_ever_stay_so" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    log_groups           = { "/c" = { class = "audit", exists = true } }
    audit_retention_days = 400
  }

  override_data {
    target = data.aws_cloudwatch_log_group.existing_audit
    values = { retention_in_days = 0 }
  }

  assert {
    condition     = output.retention_days == { "/c" = 0 }
    error_message = "0 is for ever, the longest there is"
  }
}

run "short_audit_logs_are_lengthened" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    log_groups = { "/c" = { class = "audit", exists = true } }
  }

  override_data {
    target = data.aws_cloudwatch_log_group.existing_audit
    values = { retention_in_days = 30 }
  }

  assert {
    condition     = output.retention_days == { "/c" = 365 }
    error_message = "an audit log of 30 days is kept for a year from now on"
  }
}

run "dashboard" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition     = aws_cloudwatch_dashboard.spend[0].dashboard_name == "huntaze-finops-production" && length(jsondecode(aws_cloudwatch_dashboard.spend[0].dashboard_body).widgets) == 4
    error_message = "spend, forecast, alerts, runs; no empty list of alarms"
  }

  assert {
    condition     = output.collector_container == null
    error_message = "no collector unless asked for"
  }
}

run "no_dashboard" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    dashboard = false
  }

  assert {
    condition     = length(aws_cloudwatch_dashboard.spend) == 0
    error_message = "the dashboard has a switch"
  }
}

run "collector" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    collector = { endpoint = "https://otel.example.com" }
  }

  assert {
    condition     = yamldecode(output.collector_container.environment[0].value).exporters.otlphttp.endpoint == "https://otel.example.com" && !output.collector_container.essential && output.collector_container.readonlyRootFilesystem
    error_message = "the sidecar exports by OTLP and never takes the application down"
  }
}

run "refuses_bad_values" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    namespace            = "Huntaze"
    environment          = "p"
    region               = "Virginia"
    tags                 = { "aws:team" = "search" }
    kms_key_arn          = "alias/key"
    topic_arn            = "huntaze-cost-alerts"
    clusters             = { "ai team" = {} }
    services             = { worker = {} }
    load_balancers       = { web = { arn_suffix = "web", requests_per_minute = 1 } }
    log_groups           = { "/a" = { class = "important" } }
    audit_retention_days = 90
    metric_namespace     = "AWS/finops"
    collector            = { image = "otel/opentelemetry-collector-contrib:latest", endpoint = "https://otel.example.com" }
  }

  expect_failures = [
    var.namespace, var.environment, var.region, var.tags, var.kms_key_arn, var.topic_arn, var.clusters, var.services, var.load_balancers, var.log_groups,
    var.audit_retention_days, var.metric_namespace, var.collector,
  ]
}

run "refuses_more_bad_values" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    clusters       = { ai-team = { container_insights = "disabled" } }
    services       = { "ai-team/worker" = { cpu_percent = 101 } }
    load_balancers = { web = { arn_suffix = "app/web/0123456789abcdef", requests_per_minute = 0 } }
    log_groups     = { "a b" = { class = "audit" } }
    collector      = { endpoint = "http://otel.example.com" }
  }

  expect_failures = [var.clusters, var.services, var.load_balancers, var.log_groups, var.collector]
}
