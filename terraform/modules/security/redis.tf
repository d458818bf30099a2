# Redis for the rate limiter: encrypted both ways, with a token that is replaced on a schedule.

locals {
  redis_id     = "${var.namespace}-redis-${var.environment}"
  redis_arn    = "arn:${local.partition}:elasticache:${var.region}:${var.account_id}:replicationgroup:${local.redis_id}"
  redis_secret = "${var.namespace}/${var.environment}/redis-auth"
}

resource "aws_security_group" "redis" {
  count = var.redis == null ? 0 : 1

  name        = local.redis_id
  description = "Redis: each client adds a rule for itself"
  vpc_id      = var.redis.vpc_id
  tags        = var.tags
}

resource "aws_elasticache_subnet_group" "redis" {
  count = var.redis == null ? 0 : 1

  name        = local.redis_id
  description = "Private subnets of ${local.redis_id}"
  subnet_ids  = var.redis.subnet_ids
  tags        = var.tags
}

# The first token. It stands in the state, so the rotation replaces it at once.
data "aws_secretsmanager_random_password" "redis" {
  count = var.redis == null ? 0 : 1

  password_length     = 64
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "redis" {
  count = var.redis == null ? 0 : 1

  name        = local.redis_secret
  description = "AUTH token of ${local.redis_id}"
  kms_key_id  = var.kms_key_arn
  tags        = var.tags
}

resource "aws_secretsmanager_secret_version" "redis" {
  count = var.redis == null ? 0 : 1

  secret_id     = aws_secretsmanager_secret.redis[0].id
  secret_string = data.aws_secretsmanager_random_password.redis[0].random_password

  lifecycle {
    ignore_changes = [secret_string, version_stages]
  }
}

resource "aws_elasticache_replication_group" "redis" {
  #checkov:skip=CKV2_AWS_50:on whenever there are two nodes, which is the default
  count = var.redis == null ? 0 : 1

  replication_group_id       = local.redis_id
  description                = "Limits of outgoing messages"
  engine                     = var.redis.engine
  engine_version             = var.redis.engine_version
  parameter_group_name       = var.redis.parameter_group
  node_type                  = var.redis.node_type
  port                       = 6379
  num_cache_clusters         = var.redis.nodes
  automatic_failover_enabled = var.redis.nodes > 1
  multi_az_enabled           = var.redis.nodes > 1
  subnet_group_name          = aws_elasticache_subnet_group.redis[0].name
  security_group_ids         = [aws_security_group.redis[0].id]
  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  transit_encryption_enabled = true
  auth_token                 = aws_secretsmanager_secret_version.redis[0].secret_string
  snapshot_retention_limit   = 7
  auto_minor_version_upgrade = true
  apply_immediately          = true
  tags                       = var.tags

  lifecycle {
    # The rotation owns the token from its first run on.
    ignore_changes = [auth_token, auth_token_update_strategy]
  }
}
