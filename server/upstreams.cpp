#include "server/upstreams.hpp"

#include "config/units.hpp"
#include "http/builtin_upstream.hpp"

namespace lang_agent {

namespace {

std::shared_ptr<http::upstream> make_upstream(const http::io_threads& threads,
                                              const upstream_settings& x) {
  if (x.kind == upstream_kind::builtin)
    return http::make_builtin_upstream(threads, {x.builtin.seed, x.builtin.first_token_delay,
                                                 x.builtin.token_interval, x.builtin.words});
  http::upstream_options options;
  options.name = x.name;
  options.url = *parse_base_url(x.base_url);
  options.api_keys = x.api_keys;
  options.model = x.model;
  options.model_map = x.model_map;
  options.headers = {x.headers.begin(), x.headers.end()};
  options.replay_reasoning = x.replay_reasoning;
  options.max_answer_bytes = x.max_answer_bytes;
  options.proxy = x.proxy;
  options.ca_file = x.ca_file;
  options.client_certificate = x.client_certificate;
  options.client_key = x.client_key;
  options.connect_timeout = x.connect_timeout;
  options.tls_timeout = x.tls_timeout;
  options.first_token_timeout = x.first_token_timeout;
  options.answer_timeout = x.answer_timeout;
  options.idle_timeout = x.idle_timeout;
  options.total_timeout = x.total_timeout;
  options.idle_connection_timeout = x.idle_connection_timeout;
  options.max_connection_age = x.max_connection_age;
  return http::make_openai_upstream(threads, std::move(options));
}

} // namespace

upstream_list make_upstreams(const http::io_threads& threads,
                             const std::vector<upstream_settings>& all) {
  auto out = std::make_shared<std::vector<upstream_target>>();
  for (const auto& x : all) {
    upstream_target target{x.name, make_upstream(threads, x)};
    if (x.parameters != parameter_policy{})
      target.policy = x.parameters;
    target.keys = x.api_keys.size();
    target.weight = x.weight;
    target.max_concurrency = x.max_concurrency;
    target.total_timeout = x.total_timeout;
    target.probe_interval = x.probe_interval;
    out->push_back(std::move(target));
  }
  return out;
}

std::string names_of(const std::vector<upstream_settings>& upstreams) {
  std::string out;
  for (const auto& x : upstreams)
    out +=
        (out.empty() ? "" : ",") + x.name + (x.kind == upstream_kind::builtin ? "(builtin)" : "");
  return out;
}

} // namespace lang_agent
