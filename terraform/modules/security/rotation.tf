# Replaces the AUTH token on a schedule: modules/security/rotation/rotate.py, four steps as Secrets Manager asks for them.

locals {
  rotation               = "${var.namespace}-redis-rotation"
  rotation_log_group     = "/aws/lambda/${local.rotation}"
  rotation_log_group_arn = "arn:${local.partition}:logs:${var.region}:${var.account_id}:log-group:${local.rotation_log_group}"
  ec2                    = "arn:${local.partition}:ec2:${var.region}:${var.account_id}"
}

resource "aws_cloudwatch_log_group" "rotation" {
  #checkov:skip=CKV_AWS_338:CloudTrail keeps who rotated what for a year; this is the function's own talk
  count = var.redis == null ? 0 : 1

  name              = local.rotation_log_group
  retention_in_days = 90
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_security_group" "rotation" {
  count = var.redis == null ? 0 : 1

  name        = local.rotation
  description = "Rotation of the Redis token: out to Redis and to the endpoints of AWS"
  vpc_id      = var.redis.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_egress_rule" "rotation_redis" {
  count = var.redis == null ? 0 : 1

  security_group_id            = aws_security_group.rotation[0].id
  description                  = "Redis, to try the new token"
  referenced_security_group_id = aws_security_group.redis[0].id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "rotation_endpoints" {
  count = var.redis == null ? 0 : 1

  security_group_id            = aws_security_group.rotation[0].id
  description                  = "Secrets Manager and ElastiCache"
  referenced_security_group_id = var.redis.endpoint_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "redis_rotation" {
  count = var.redis == null ? 0 : 1

  security_group_id            = aws_security_group.redis[0].id
  description                  = local.rotation
  referenced_security_group_id = aws_security_group.rotation[0].id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_rotation" {
  count = var.redis == null ? 0 : 1

  security_group_id            = var.redis.endpoint_security_group_id
  description                  = local.rotation
  referenced_security_group_id = aws_security_group.rotation[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  tags                         = var.tags
}

resource "aws_lambda_function" "rotation" {
  #checkov:skip=CKV_AWS_116:Secrets Manager calls it, tries again and shows a failed rotation; there is no event to keep
  #checkov:skip=CKV_AWS_272:signing is a decision of the account's pipeline; the zip is pinned by its hash
  #checkov:skip=CKV_AWS_50:traces go out by OTLP, not by X-Ray; this one has none
  count = var.redis == null ? 0 : 1

  function_name                  = local.rotation
  description                    = "Replaces the AUTH token of ${local.redis_id}"
  role                           = aws_iam_role.rotation[0].arn
  runtime                        = "python3.13"
  architectures                  = ["arm64"]
  handler                        = "rotate.handler"
  filename                       = var.redis.rotation_zip
  source_code_hash               = filebase64sha256(var.redis.rotation_zip)
  timeout                        = 900
  memory_size                    = 128
  reserved_concurrent_executions = 1
  kms_key_arn                    = var.kms_key_arn
  tags                           = var.tags

  vpc_config {
    subnet_ids         = var.redis.subnet_ids
    security_group_ids = [aws_security_group.rotation[0].id]
  }

  environment {
    variables = {
      REPLICATION_GROUP_ID = local.redis_id
      REDIS_HOST           = aws_elasticache_replication_group.redis[0].primary_endpoint_address
      REDIS_PORT           = "6379"
    }
  }

  logging_config {
    log_format = "JSON"
    log_group  = local.rotation_log_group
  }

  depends_on = [aws_cloudwatch_log_group.rotation, aws_iam_role_policy.rotation]
}

resource "aws_lambda_permission" "rotation" {
  count = var.redis == null ? 0 : 1

  statement_id   = "SecretsManager"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.rotation[0].function_name
  principal      = "secretsmanager.amazonaws.com"
  source_account = var.account_id
  source_arn     = aws_secretsmanager_secret.redis[0].arn
}

resource "aws_secretsmanager_secret_rotation" "redis" {
  #checkov:skip=CKV_AWS_304:rotation_days is at most 90, which checkov cannot see
  count = var.redis == null ? 0 : 1

  secret_id           = aws_secretsmanager_secret.redis[0].id
  rotation_lambda_arn = aws_lambda_function.rotation[0].arn
  rotate_immediately  = true

  rotation_rules {
    automatically_after_days = var.redis.rotation_days
  }

  depends_on = [aws_lambda_permission.rotation, aws_secretsmanager_secret_version.redis]
}

resource "aws_iam_role" "rotation" {
  count = var.redis == null ? 0 : 1

  name        = local.rotation
  description = "Replaces the AUTH token of ${local.redis_id}, nothing else"
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "rotation" {
  #checkov:skip=CKV_AWS_355:GetRandomPassword and the Describe calls of EC2 have no resource type in AWS; tests/terraform proves it
  count = var.redis == null ? 0 : 1

  name = "rotate"
  role = aws_iam_role.rotation[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Secret"
        Effect   = "Allow"
        Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"]
        Resource = ["arn:${local.partition}:secretsmanager:${var.region}:${var.account_id}:secret:${local.redis_secret}-??????"]
      },
      {
        Sid      = "Redis"
        Effect   = "Allow"
        Action   = ["elasticache:DescribeReplicationGroups", "elasticache:ModifyReplicationGroup"]
        Resource = [local.redis_arn]
      },
      {
        Sid       = "Key"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [var.kms_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = ["secretsmanager.${var.region}.amazonaws.com"] } }
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${local.rotation_log_group_arn}:log-stream:*"]
      },
      {
        Sid      = "Interfaces"
        Effect   = "Allow"
        Action   = ["ec2:CreateNetworkInterface"]
        Resource = concat(["${local.ec2}:network-interface/*", "${local.ec2}:security-group/*"], [for id in sort(var.redis.subnet_ids) : "${local.ec2}:subnet/${id}"])
      },
      {
        Sid      = "OwnInterfaces"
        Effect   = "Allow"
        Action   = ["ec2:AssignPrivateIpAddresses", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]
        Resource = ["${local.ec2}:network-interface/*"]
      },
      {
        Sid      = "NoResourceType"
        Effect   = "Allow"
        Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "secretsmanager:GetRandomPassword"]
        Resource = ["*"]
      },
    ]
  })
}
