"""The values with which the flows are looked at."""

EDGE = {
    "certManager": {"clusterIssuer": "letsencrypt"},
    "monitoringRoute": {"enabled": True, "auth": {"existingSecret": "monitoring-users"}},
}
EXTERNAL = {
    "postgresql": {
        "mode": "external",
        "auth": {"existingSecret": "postgresql"},
        "external": {"host": "pg.example.com", "port": 6432, "cidrs": ["10.20.0.5/32"]},
    },
    "redis": {
        "mode": "external",
        "auth": {"existingSecret": "redis"},
        "external": {"url": "rediss://cache.example.com:6380", "cidrs": ["10.21.0.5/32", "fd21::5/128"]},
    },
    "rabbitmq": {
        "mode": "external",
        "auth": {"existingSecret": "rabbitmq"},
        "external": {"url": "amqps://agenticai@mq.example.com/agenticai", "cidrs": ["10.22.0.5/32"]},
    },
}
API_SERVER = {"networkPolicy": {"apiServer": {"cidrs": ["172.20.0.1/32"]}}}

MODES = {
    "default": {},
    "ingress": {**EDGE, "ingress": {"enabled": True}},
    "gateway": {**EDGE, "gateway": {"enabled": True, "parentRefs": [{"name": "shared", "namespace": "traefik"}]}},
    "external": EXTERNAL,
    "external, addresses not given": {
        "postgresql": {
            "mode": "external",
            "auth": {"existingSecret": "postgresql"},
            "external": {"host": "pg.example.com"},
        },
        "redis": {
            "mode": "external",
            "auth": {"existingSecret": "redis"},
            "external": {"url": "redis://a.example.com:26379,b.example.com:26379", "sentinelGroup": "agenticai"},
        },
        "rabbitmq": {"mode": "none"},
    },
    "external observability": {
        "otelCollector": {
            "mode": "external",
            "external": {"endpoint": "collector.example.com:4317", "cidrs": ["10.23.0.5/32"]},
        },
        "jaeger": {"mode": "disabled"},
    },
    "telemetry sent on": {
        "otelCollector": {
            "loki": {"endpoint": "http://loki.example.com:3100/otlp", "cidrs": ["10.24.0.5/32"]},
            "prometheus": {"endpoint": "https://prometheus.example.com/api/v1/otlp", "cidrs": ["10.25.0.5/32"]},
        },
        "jaeger": {"mode": "external", "external": {"endpoint": "jaeger.example.com:4317", "cidrs": ["10.26.0.5/32"]}},
    },
    "nothing but PostgreSQL": {
        "redis": {"mode": "none"},
        "rabbitmq": {"mode": "none"},
        "otelCollector": {"mode": "disabled"},
        "jaeger": {"mode": "disabled"},
    },
    "migrations by hand": {"migration": {"enabled": False}},
    "cnpg": {
        "postgresql": {"mode": "cnpg", "cnpg": {"backup": {"retentionPolicy": "30d"}}},
        "networkPolicy": {**API_SERVER["networkPolicy"], "backup": {"cidrs": ["172.21.0.1/32"]}},
    },
    "sentinel": {"redis": {"mode": "sentinel"}},
    "cluster": {"redis": {"mode": "cluster"}},
    "RabbitMQ's operator": {"rabbitmq": {"mode": "operator"}, **API_SERVER},
    "ambient": {"networkPolicy": {"ambient": True}},
    "ambient, with everything replicated": {
        **EDGE,
        "ingress": {"enabled": True},
        "postgresql": {"mode": "cnpg"},
        "redis": {"mode": "cluster"},
        "networkPolicy": {"ambient": True, **API_SERVER["networkPolicy"], "clients": {"namespaces": ["programs"]}},
    },
    "proxy": {
        "global": {"proxy": {"https": "http://proxy.example.com:3128"}},
        "networkPolicy": {"proxy": {"cidrs": ["10.27.0.5/32"]}},
    },
    "tools at private addresses": {"config": {"egress": {"allow": ["10.1.0.0/16", "tools.example.com:8443"]}}},
    "clients and vectors": {
        "networkPolicy": {"clients": {"namespaces": ["programs"]}},
        "chromadb": {"enabled": True},
    },
    "open Service": {"api": {"service": {"type": "LoadBalancer"}}},
}
