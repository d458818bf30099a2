resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "this" {
  count = 2

  vpc_id            = aws_vpc.this.id
  cidr_block        = "10.0.${count.index}.0/24"
  availability_zone = "us-east-1${count.index == 0 ? "a" : "b"}"
}

resource "aws_route_table" "private" {
  count = 2

  vpc_id = aws_vpc.this.id
}

resource "aws_security_group" "client" {
  name   = "client"
  vpc_id = aws_vpc.this.id
}

module "network" {
  source = "../../modules/network"

  namespace                 = "trial"
  region                    = "us-east-1"
  vpc_id                    = aws_vpc.this.id
  route_table_ids           = aws_route_table.private[*].id
  interface_endpoints       = ["secretsmanager"]
  subnet_ids                = aws_subnet.this[*].id
  client_security_group_ids = { client = aws_security_group.client.id }
  nat_gb_per_month          = { secretsmanager = 1000 }
}
