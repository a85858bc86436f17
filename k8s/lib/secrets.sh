# shellcheck shell=bash
# Secrets: what is missing is made, what is there is never changed.
# shellcheck disable=SC2016,SC2154 # templates of Go in single quotes; options and functions of deploy.sh

# random LENGTH: letters and digits.
random() { head -c 1024 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' | cut -c "1-$1"; }

# secret_templates: each Secret of config/secrets.yaml as a line: its name, then what is to be made (key:length,…), then
# the entries that are no secrets (key=base64,…), each `-` where there is none.
secret_templates() {
    awk '
        function end() { if (name) print name, (made ? made : "-"), (kept ? kept : "-"); name = made = kept = ""; data = 0 }
        /^---$/ { end(); next }
        /^  name: / && !name { name = $2 }
        /^    agenticai.dev\/generate: / { made = $2; gsub(/"/, "", made) }
        /^[a-z]/ { data = ($1 == "data:") }
        data && /^  / { sub(":$", "", $1); kept = kept (kept ? "," : "") $1 "=" $2 }
        END { end() }
    ' "$here/config/secrets.yaml"
}

make_secrets() {
    local name made kept entry missing held
    step "Secrets"
    while read -r name made kept; do
        held=$(kn get secret "$name" --ignore-not-found -o go-template='{{range $k, $v := .data}}{{$k}} {{end}}-') || exit 4
        missing=''
        for entry in ${made//,/ }; do
            [ "$entry" = - ] || [[ " $held " == *" ${entry%%:*} "* ]] ||
                missing+="  ${entry%%:*}: $(random "${entry##*:}" | tr -d '\n' | base64 | tr -d '\n')"$'\n'
        done
        for entry in ${kept//,/ }; do
            [ "$entry" = - ] || [[ " $held " == *" ${entry%%=*} "* ]] || missing+="  ${entry%%=*}: ${entry#*=}"$'\n'
        done
        # Values go by standard input: arguments can be read by everybody on this machine.
        if [ -z "$held" ]; then
            secret_manifest "$name" "$missing" | kn create -f - >/dev/null || fail 5 "Secret $name cannot be made"
            say "$name made"
        elif [ -n "$missing" ]; then
            printf 'data:\n%s' "$missing" | kn patch secret "$name" --patch-file /dev/stdin >/dev/null ||
                fail 5 "Secret $name lacks keys and cannot be changed"
            say "$name given the keys that it lacked"
        else
            say "$name is there"
        fi
    done < <(secret_templates)
}

# secret_manifest NAME DATA
secret_manifest() {
    printf 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  labels:\n' "$1"
    printf '    app.kubernetes.io/name: agenticai\n    app.kubernetes.io/instance: agenticai\n    app.kubernetes.io/managed-by: kustomize\n'
    printf 'type: Opaque\n'
    [ -z "$2" ] || printf 'data:\n%s' "$2"
}
