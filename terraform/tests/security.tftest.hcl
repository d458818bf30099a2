# modules/security: every part has a switch of its own.

mock_provider "aws" {
  # What ElastiCache takes as a token.
  mock_data "aws_secretsmanager_random_password" {
    defaults = { random_password = "0123456789abcdefghijklmnopqrstuv" }
  }
}

variables {
  namespace   = "huntaze"
  environment = "production"
  account_id  = "123456789012"
  region      = "us-east-1"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  topic_arn   = "arn:aws:sns:us-east-1:123456789012:huntaze-cost-alerts"
}

run "nothing_by_default" {
  command = plan

  module {
    source = "./modules/security"
  }

  assert {
    condition     = length(aws_elasticache_replication_group.redis) + length(aws_s3_account_public_access_block.this) + length(aws_db_parameter_group.this) + length(aws_db_instance.this) + length(aws_cloudtrail.this) + length(aws_guardduty_detector.this) + length(aws_securityhub_account.this) + length(aws_iam_role.task) == 0
    error_message = "hardening of an account is asked for, part by part"
  }
}

run "redis" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    redis = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"], rotation_zip = "./tests/function.zip", endpoint_security_group_id = "sg-0123456789abcdef0" }
  }

  assert {
    condition     = aws_elasticache_replication_group.redis[0].at_rest_encryption_enabled == "true" && aws_elasticache_replication_group.redis[0].transit_encryption_enabled && aws_elasticache_replication_group.redis[0].kms_key_id == var.kms_key_arn
    error_message = "Redis is encrypted at rest, by our key, and in transit"
  }

  assert {
    condition     = aws_elasticache_replication_group.redis[0].num_cache_clusters == 2 && aws_elasticache_replication_group.redis[0].automatic_failover_enabled && aws_elasticache_replication_group.redis[0].multi_az_enabled
    error_message = "two nodes in two zones"
  }

  assert {
    condition     = aws_secretsmanager_secret_rotation.redis[0].rotation_rules[0].automatically_after_days == 30 && aws_secretsmanager_secret_rotation.redis[0].rotate_immediately
    error_message = "the token is replaced at once, then every 30 days"
  }

  assert {
    condition     = aws_secretsmanager_secret.redis[0].name == "huntaze/production/redis-auth" && output.redis.secret_name == "huntaze/production/redis-auth"
    error_message = "the token is in Secrets Manager"
  }

  assert {
    condition     = length(aws_cloudtrail.this) + length(aws_guardduty_detector.this) + length(aws_securityhub_account.this) == 0
    error_message = "one switch turns on one thing"
  }
}

run "one_node_has_no_failover" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    redis = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"], rotation_zip = "./tests/function.zip", endpoint_security_group_id = "sg-0123456789abcdef0", nodes = 1 }
  }

  assert {
    condition     = !aws_elasticache_replication_group.redis[0].automatic_failover_enabled && !aws_elasticache_replication_group.redis[0].multi_az_enabled
    error_message = "AWS refuses failover with one node"
  }
}

run "public_access_block" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    block_public_s3 = true
  }

  assert {
    condition     = aws_s3_account_public_access_block.this[0].block_public_acls && aws_s3_account_public_access_block.this[0].block_public_policy && aws_s3_account_public_access_block.this[0].ignore_public_acls && aws_s3_account_public_access_block.this[0].restrict_public_buckets
    error_message = "all four locks"
  }
}

run "parameter_group_only" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    database = { family = "postgres16" }
  }

  assert {
    condition     = contains([for parameter in aws_db_parameter_group.this[0].parameter : "${parameter.name}=${parameter.value}"], "rds.force_ssl=1") && length(aws_db_instance.this) == 0
    error_message = "TLS is forced, no instance is made"
  }
}

run "database_with_performance_insights" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    database = { family = "postgres16", instance = { identifier = "huntaze", engine_version = "16.3", class = "db.t4g.medium", storage_gb = 20, subnet_group = "huntaze", security_group_ids = ["sg-0123456789abcdef0"] } }
  }

  assert {
    condition     = aws_db_instance.this[0].performance_insights_enabled && aws_db_instance.this[0].storage_encrypted && !aws_db_instance.this[0].publicly_accessible && aws_db_instance.this[0].manage_master_user_password && aws_db_instance.this[0].deletion_protection
    error_message = "the instance is encrypted, private, protected, watched"
  }
}

run "database_without_performance_insights" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    database = { family = "postgres16", instance = { identifier = "huntaze", engine_version = "16.3", class = "db.t4g.medium", storage_gb = 20, subnet_group = "huntaze", security_group_ids = ["sg-0123456789abcdef0"], performance_insights = false } }
  }

  assert {
    condition     = !aws_db_instance.this[0].performance_insights_enabled
    error_message = "Performance Insights has a switch"
  }
}

run "cloudtrail" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    cloudtrail = true
  }

  assert {
    condition     = aws_cloudtrail.this[0].is_multi_region_trail && aws_cloudtrail.this[0].enable_log_file_validation && aws_cloudtrail.this[0].kms_key_id == var.kms_key_arn
    error_message = "all regions, validated, encrypted"
  }

  assert {
    condition     = toset([for statement in jsondecode(aws_s3_bucket_policy.audit[0].policy).Statement : statement.Sid if statement.Effect == "Deny"]) == toset(["TlsOnly", "NobodyDeletes"])
    error_message = "the bucket takes TLS only, and nobody deletes from it"
  }

  assert {
    condition     = aws_s3_bucket.audit[0].object_lock_enabled && aws_s3_bucket_object_lock_configuration.audit[0].rule[0].default_retention[0].days == 365 && aws_cloudwatch_log_group.audit[0].retention_in_days == 365
    error_message = "a year, in the bucket and in the log"
  }
}

run "guardduty" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    guardduty = { min_severity = 7 }
  }

  assert {
    condition     = aws_guardduty_detector.this[0].enable && aws_cloudwatch_event_target.guardduty[0].arn == var.topic_arn && jsondecode(aws_cloudwatch_event_rule.guardduty[0].event_pattern).detail.severity[0].numeric == [">=", 7]
    error_message = "findings of that severity go to the topic"
  }
}

run "security_hub" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    security_hub = true
  }

  assert {
    condition     = endswith(aws_securityhub_standards_subscription.best_practices[0].standards_arn, "standards/aws-foundational-security-best-practices/v/1.0.0") && !aws_securityhub_account.this[0].enable_default_standards
    error_message = "the AWS Foundational Security Best Practices, and no other standard unasked"
  }
}

run "task_roles_are_split" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    task_roles = {
      web = {
        repository_arns = ["arn:aws:ecr:us-east-1:123456789012:repository/web"]
        log_group_arns  = ["arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web"]
        secrets         = { DATABASE_URL = "arn:aws:secretsmanager:us-east-1:123456789012:secret:web-AbCdEf" }
        actions         = { "arn:aws:sqs:us-east-1:123456789012:queue" = ["sqs:SendMessage"] }
      }
      bare = { log_group_arns = ["arn:aws:logs:us-east-1:123456789012:log-group:/ecs/bare"] }
    }
  }

  assert {
    condition     = contains(flatten([for statement in jsondecode(aws_iam_role_policy.execution["web"].policy).Statement : statement.Action]), "secretsmanager:GetSecretValue") && flatten([for statement in jsondecode(aws_iam_role_policy.task["web"].policy).Statement : statement.Action]) == ["sqs:SendMessage"]
    error_message = "the execution role reads the secrets, the task role does the work"
  }

  assert {
    condition     = length(aws_iam_role_policy.task) == 1 && [for statement in jsondecode(aws_iam_role_policy.execution["bare"].policy).Statement : statement.Sid] == ["Logs"]
    error_message = "what is not given is not permitted"
  }
}

run "refuses_bad_values" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    namespace            = "Huntaze"
    environment          = "p"
    account_id           = "1234"
    region               = "Virginia"
    tags                 = { "aws:team" = "search" }
    kms_key_arn          = "alias/key"
    topic_arn            = "huntaze-cost-alerts"
    redis                = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"], rotation_zip = "./tests/function.zip", endpoint_security_group_id = "sg-0123456789abcdef0", nodes = 0 }
    database             = { family = "mysql8.0" }
    audit_retention_days = 90
    guardduty            = { min_severity = 11 }
    task_roles           = { Web = { log_group_arns = [] } }
  }

  expect_failures = [
    var.namespace, var.environment, var.account_id, var.region, var.tags, var.kms_key_arn, var.topic_arn, var.redis, var.database, var.audit_retention_days,
    var.guardduty, var.task_roles,
  ]
}

run "refuses_a_bad_vpc_and_class" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    redis      = { vpc_id = "main", subnet_ids = ["subnet-0123456789abcdef0"], rotation_zip = "./tests/function.zip", endpoint_security_group_id = "sg-0123456789abcdef0" }
    database   = { family = "postgres16", instance = { identifier = "huntaze", engine_version = "16.3", class = "t4g.medium", storage_gb = 20, subnet_group = "huntaze", security_group_ids = ["sg-0123456789abcdef0"] } }
    task_roles = { web = { log_group_arns = [], secrets = { DATABASE_URL = "hunter2" } } }
  }

  expect_failures = [var.redis, var.database, var.task_roles]
}

run "refuses_no_subnets_and_little_storage" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    redis      = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = [], rotation_zip = "./tests/function.zip", endpoint_security_group_id = "sg-0123456789abcdef0" }
    database   = { family = "postgres16", instance = { identifier = "huntaze", engine_version = "16.3", class = "db.t4g.medium", storage_gb = 5, subnet_group = "huntaze", security_group_ids = ["sg-0123456789abcdef0"] } }
    task_roles = { web = { log_group_arns = [], actions = { "*" = ["sqs:*"] } } }
  }

  expect_failures = [var.redis, var.database, var.task_roles]
}

run "refuses_no_security_groups_and_bad_logs" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    redis      = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"], rotation_zip = "./tests/function.zip", endpoint_security_group_id = "sg-0123456789abcdef0", node_type = "t4g.micro" }
    database   = { family = "postgres16", instance = { identifier = "huntaze", engine_version = "16.3", class = "db.t4g.medium", storage_gb = 20, subnet_group = "huntaze", security_group_ids = [] } }
    task_roles = { web = { log_group_arns = ["/ecs/web"] } }
  }

  expect_failures = [var.redis, var.database, var.task_roles]
}

run "refuses_another_engine" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    redis = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"], rotation_zip = "./tests/function.zip", endpoint_security_group_id = "sg-0123456789abcdef0", engine = "memcached" }
  }

  expect_failures = [var.redis]
}

run "refuses_a_rotation_once_in_a_blue_moon" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    redis = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"], rotation_zip = "./tests/function.zip", endpoint_security_group_id = "sg-0123456789abcdef0", rotation_days = 400 }
  }

  expect_failures = [var.redis]
}

run "refuses_a_missing_package" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    redis = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"], rotation_zip = "./tests/missing.zip", endpoint_security_group_id = "sg-0123456789abcdef0" }
  }

  expect_failures = [var.redis]
}

run "refuses_a_bad_endpoint_group" {
  command = plan

  module {
    source = "./modules/security"
  }

  variables {
    redis = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"], rotation_zip = "./tests/function.zip", endpoint_security_group_id = "default" }
  }

  expect_failures = [var.redis]
}
