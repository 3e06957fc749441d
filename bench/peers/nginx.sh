#!/bin/sh
# nginx in the benchmarks (Debian: nginx-light): one process, no access log, answers written in its configuration, and
# the mebibyte a file (MEBIBYTE is its path). It cannot echo a body by itself, and what it calls /json is a constant.
#
#     nginx.sh DIRECTORY PORT
set -eu
directory=$(mkdir -p "$1" && cd "$1" && pwd)
port=$2
export PATH="$PATH:/usr/sbin"

cat > "$directory/nginx.conf" << CONF
daemon off;
master_process off;
pid $directory/pid;
error_log stderr error;
worker_rlimit_nofile 20000;
events { worker_connections 16384; }
http {
    access_log off;
    client_body_temp_path $directory/client_body;
    proxy_temp_path $directory/proxy;
    fastcgi_temp_path $directory/fastcgi;
    uwsgi_temp_path $directory/uwsgi;
    scgi_temp_path $directory/scgi;
    default_type "text/plain; charset=utf-8";
    keepalive_requests 1000000000;
    keepalive_timeout 75s;
    sendfile on;
    tcp_nopush on;
    server {
        listen 127.0.0.1:$port backlog=4096;
        root $directory;
        location = / { return 200 "Hello, World!"; }
        location = /json { default_type application/json; return 200 '{"message":"Hello, World!"}'; }
        location ~ ^/user/([^/]+)$ { return 200 \$1; }
        location = /files/mebibyte { alias $MEBIBYTE; open_file_cache max=10; default_type application/octet-stream; }
        location /files/ { alias $(dirname "$MEBIBYTE")/; open_file_cache max=10; default_type application/octet-stream; }
        location /plain-files/ { alias $(dirname "$MEBIBYTE")/; default_type application/octet-stream; }
$(seq -f '        location = /route/%g { return 200 "Hello, World!"; }' 100)
    }
}
CONF
exec nginx -p "$directory" -c "$directory/nginx.conf" -e stderr
