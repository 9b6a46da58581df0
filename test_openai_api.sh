#!/usr/bin/env bash
# Tries a running server with curl, step by step, and shows what it can do.
#   ./test_openai_api.sh [BASE_URL] [API_KEY]
set -euo pipefail

base="${1:-http://localhost:8488}"
key="${2:-123tangledup-ai}"
thread="demo-$RANDOM$RANDOM"
failures=0

say() {
  printf '\n\033[1m%s\033[0m\n' "$1"
}

# Compares what came with what should; shows both when they differ.
expect() { # WHAT TEXT PATTERN
  if grep -qE -- "$3" <<<"$2"; then
    echo "  ok: $1"
  else
    echo "  FAILED: $1"
    echo "  expected to find: $3"
    echo "  in: $2"
    failures=$((failures + 1))
  fi
}

chat() { # JSON [CURL OPTIONS...]
  local body="$1"
  shift
  curl -sS -X POST "$base/v1/chat/completions" -H "Authorization: Bearer $key" \
    -H "Content-Type: application/json" -d "$body" "$@"
}

say "1. Is the server there? GET /health"
answer=$(curl -sS "$base/health") || {
  echo "No server answers at $base. Start one with scripts/serve."
  exit 1
}
echo "$answer"
expect "it is healthy" "$answer" '"status": ?"healthy"'

say "2. What is it? GET /"
answer=$(curl -sS "$base/")
echo "$answer"
expect "it tells its endpoints" "$answer" '/v1/chat/completions'

say "3. Which models are there? GET /v1/models"
answer=$(curl -sS "$base/v1/models" -H "Authorization: Bearer $key")
echo "$answer"
expect "it lists models" "$answer" '"object":"list"'

say "4. A chat turn on the thread '$thread'"
answer=$(chat '{"model":"qwen-plus","thread_id":"'"$thread"'","messages":[
  {"role":"system","content":"You are a helpful assistant."},
  {"role":"user","content":"My favourite colour is teal."}]}')
echo "$answer"
expect "an OpenAI-shaped answer" "$answer" '"object":"chat.completion"'
expect "the model's name is echoed" "$answer" '"model":"qwen-plus"'
expect "tokens are counted" "$answer" '"total_tokens":[0-9]+'

say "5. The next turn sends only what is new; the server remembers the rest"
answer=$(chat '{"model":"qwen-plus","thread_id":"'"$thread"'","messages":[
  {"role":"user","content":"Which colour do I like?"}]}' -D -)
echo "$answer"
expect "the model saw the whole conversation" "$answer" 'x-context-messages: 4/4'

say "6. The same as a stream"
answer=$(chat '{"model":"qwen-plus","thread_id":"'"$thread"'","stream":true,
  "messages":[{"role":"user","content":"Once more, please."}]}' -N)
echo "$answer"
expect "pieces as they come" "$answer" '"object":"chat.completion.chunk"'
expect "a proper end" "$answer" '^data: \[DONE\]'

say "7. A wrong key is refused"
answer=$(curl -sS -i "$base/v1/chat/completions" -H "Authorization: Bearer wrong" -d '{}')
echo "$answer"
expect "status 401" "$answer" '^HTTP/1.1 401'
expect "an OpenAI error" "$answer" '"code":"invalid_api_key"'

say "8. A mistake is explained"
answer=$(chat '{"model":"qwen-plus","temperature":9,"messages":[{"role":"user","content":"hi"}]}')
echo "$answer"
expect "the field at fault is named" "$answer" '"param":"temperature"'

if ((failures > 0)); then
  say "$failures of the steps above FAILED."
  exit 1
fi
say "All steps passed."
