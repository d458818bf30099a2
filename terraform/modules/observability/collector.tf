# The OpenTelemetry collector as a sidecar: a container definition to put beside the application's in a task definition.

locals {
  collector_settings = {
    receivers = {
      otlp = { protocols = { grpc = { endpoint = "127.0.0.1:4317" }, http = { endpoint = "127.0.0.1:4318" } } }
    }
    processors = {
      memory_limiter = { check_interval = "1s", limit_percentage = 75, spike_limit_percentage = 20 }
      batch          = {}
    }
    exporters = {
      otlphttp = { endpoint = try(var.collector.endpoint, null), compression = "gzip" }
    }
    extensions = {
      health_check = { endpoint = "127.0.0.1:13133" }
    }
    service = {
      extensions = ["health_check"]
      pipelines = {
        traces  = { receivers = ["otlp"], processors = ["memory_limiter", "batch"], exporters = ["otlphttp"] }
        metrics = { receivers = ["otlp"], processors = ["memory_limiter", "batch"], exporters = ["otlphttp"] }
      }
    }
  }

  collector_log_group = "/ecs/${var.namespace}/otel-collector"

  # Not essential: the application lives on when its collector does not.
  collector_container = var.collector == null ? null : {
    name                   = "otel-collector"
    image                  = var.collector.image
    essential              = false
    cpu                    = 64
    memoryReservation      = 128
    readonlyRootFilesystem = true
    user                   = "10001"
    command                = ["--config=env:OTEL_COLLECTOR_CONFIG"]
    environment            = [{ name = "OTEL_COLLECTOR_CONFIG", value = yamlencode(local.collector_settings) }]
    portMappings           = []
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = local.collector_log_group
        "awslogs-region"        = var.region
        "awslogs-stream-prefix" = "otel"
      }
    }
  }
}

resource "aws_cloudwatch_log_group" "collector" {
  #checkov:skip=CKV_AWS_338:the log of a sidecar, no audit log
  count = var.collector == null ? 0 : 1

  name              = local.collector_log_group
  retention_in_days = local.days.standard
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}
