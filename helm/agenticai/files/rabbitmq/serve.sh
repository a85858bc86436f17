#!/bin/sh
# Runs RabbitMQ with what prepare.sh found, and with the password in the form in which RabbitMQ keeps it. The definitions
# are read at every start, so a changed password holds from the next restart on.
set -eu

AGENTICAI_BLANK=$(cat "$OUT/blank")
export AGENTICAI_BLANK
hash=$(rabbitmqctl --quiet hash_password "$(cat "$SECRETS/password")")
(
    umask 077
    cat >"$OUT/definitions.json" <<JSON
{
  "vhosts": [{"name": "/", "default_queue_type": "quorum", "metadata": {"default_queue_type": "quorum"}}],
  "users": [{"name": "$USERNAME", "password_hash": "$hash", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ["administrator"], "limits": {}}],
  "permissions": [{"user": "$USERNAME", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}]
}
JSON
)
{
    cat "$CONFIG/rabbitmq.conf" "$OUT/seed.conf"
    echo "load_definitions = $OUT/definitions.json"
    # What the watermark is a share of; RabbitMQ does not see the limit of its container in every runtime.
    [ -z "${MEMORY_LIMIT-}" ] || echo "total_memory_available_override_value = $MEMORY_LIMIT"
} >"$OUT/rabbitmq.conf"
export RABBITMQ_CONFIG_FILE="$OUT/rabbitmq.conf"
exec rabbitmq-server
