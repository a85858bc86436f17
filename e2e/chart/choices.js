'use strict';
// What the matrix has to know of choices beyond their names.

/** What a choice needs beside it to be possible at all. */
const COMPANIONS = {
  'postgresql.mode=external': {
    postgresql: { external: { host: 'db.example.com' }, auth: { existingSecret: 'existing-postgresql' } },
  },
  'redis.mode=external': {
    redis: { external: { url: 'rediss://cache.example.com:6380' }, auth: { existingSecret: 'existing-redis' } },
  },
  'rabbitmq.mode=external': {
    rabbitmq: { external: { url: 'amqps://agenticai@mq.example.com:5671/agenticai' }, auth: { existingSecret: 'existing-rabbitmq' } },
  },
};

/** Choices that the chart refuses together; a check makes sure that it does. */
const IMPOSSIBLE = [
  ['worker.autoscaling.owner=keda', 'worker.autoscaling.external.enabled=true'],
];

module.exports = { COMPANIONS, IMPOSSIBLE };
