#include "benchmarks/load/preflight.hpp"

#include "benchmarks/load/load_run.hpp"
#include "http/api_client.hpp"

#include <rapidjson/document.h>
#include <rapidjson/pointer.h>

#include <stdexcept>

namespace lang_agent::load {

namespace {

/// The same request without anything that is there for the load.
load_plan single_request(const load_plan& plan) {
  auto out = plan;
  out.rate.reset();
  out.trace.reset();
  out.duration.reset();
  out.concurrency = 1;
  out.requests = 1;
  out.turns = 1;
  out.ramp = out.warmup = std::chrono::milliseconds{0};
  out.drain = plan.timeout;
  out.abandon_share = out.slow_share = 0;
  return out;
}

std::string advice(const std::string& error, const load_plan& plan) {
  const auto is = [&](std::string_view kind) { return error.starts_with(kind); };
  if (is("http_401") || is("http_403"))
    return plan.tenants.front().key.empty()
               ? "it wants a key: give one with --key-env NAME"
               : "it refuses the key: check --key, --key-env or --tenant";
  if (is("http_404 model"))
    return "it has no model \"" + plan.model + "\": choose another with --model";
  if (is("http_404") || is("http_405"))
    return "there is no chat API at this base URL: --target usually ends in /v1";
  if (is("http_429"))
    return "it is limited already: wait, or raise its limits";
  if (is("http_400") || is("http_422"))
    return "it refuses the request: --no-usage drops stream_options, --history client drops the "
           "thread id";
  if (is("wrong_type"))
    return "it answers a stream with something else: try --no-stream";
  if (is("no_echo"))
    return "its answer does not repeat the prompt: drop --expect-echo, or ask for more tokens";
  if (is("tls"))
    return "give its certificate authority with --ca-file, or --insecure to check nothing";
  if (is("timeout"))
    return "it did not answer in time: a longer --timeout waits";
  if (is("foreign_words"))
    return "it said words of another thread to a user who is alone: its history is mixed up";
  return "look into its log";
}

} // namespace

std::string first_model(const load_plan& plan, const target& of) {
  try {
    const auto reply = http::api_client{of.where, plan.tenants.front().key}.call("GET", "/models");
    rapidjson::Document document;
    document.Parse(reply.body.data(), reply.body.size());
    const auto* id =
        document.HasParseError() ? nullptr : rapidjson::Pointer{"/data/0/id"}.Get(document);
    return id && id->IsString() ? std::string{id->GetString(), id->GetStringLength()} : "";
  } catch (const http::call_error&) {
    return {}; // the request that comes next tells what is wrong
  }
}

void check_target(const load_plan& plan, const target& of, const place& where,
                  const std::function<bool()>& is_interrupted) {
  run_options how;
  how.is_interrupted = is_interrupted;
  const auto result = run_load(single_request(plan), of, where, how);
  if (result.interrupted)
    throw std::runtime_error{"interrupted before anything was measured"};
  if (result.names_threads && plan.history == history_kind::client)
    throw std::runtime_error{of.url
                             + " keeps histories, and all requests would share one thread: add "
                               "--history server, so that each user has one"};
  if (result.requests.completed == 1)
    return;
  const auto error = result.errors.empty() ? "timeout" : result.errors.begin()->first;
  const auto said = result.complaints.empty() ? "" : " (" + result.complaints.begin()->second + ")";
  throw std::runtime_error{"the first request to " + of.url + " failed with " + error + said + ": "
                           + advice(error, plan) + "; --no-check measures all the same"};
}

} // namespace lang_agent::load
