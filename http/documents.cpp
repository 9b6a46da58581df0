#include "http/documents.hpp"

#include "http/json.hpp"

namespace lang_agent::http {

std::string info_document() {
  return R"json({
  "message": "Lang Agent Chat API",
  "version": "1.0.0",
  "description": "使用OpenAI格式调用pipeline.invoke的聊天API",
  "authentication": "Bearer Token (API Key)",
  "endpoints": {
    "/v1/chat/completions": "POST - 聊天完成接口,兼容OpenAI格式,需要API密钥验证",
    "/v1/threads": "GET - 会话列表,需要API密钥验证",
    "/v1/threads/{id}": "GET - 单个会话的信息;PATCH - 修改元数据;DELETE - 删除会话;需要API密钥验证",
    "/v1/threads/{id}/messages": "GET - 会话的消息列表,需要API密钥验证",
    "/v1/threads/{id}/fork": "POST - 复制会话,需要API密钥验证",
    "/v1/threads/{id}/export": "GET - 导出会话(JSON Lines),需要API密钥验证",
    "/v1/threads/import": "POST - 导入会话(JSON Lines),需要API密钥验证",
    "/v1/models": "GET - 模型列表,需要API密钥验证",
    "/v1/models/{id}": "GET - 单个模型的信息,需要API密钥验证",
    "/": "GET - API信息",
    "/health": "GET - 健康检查接口"
  }
}
)json";
}

std::string health_document(bool healthy) {
  return healthy ? R"({"status":"healthy"})" : R"({"status":"shutting_down"})";
}

std::string state_document(const server_state& x) {
  std::string out = R"({"object":"server_state")";
  const auto add = [&](std::string_view name, std::uint64_t value) {
    out.append(",\"").append(name).append("\":").append(std::to_string(value));
  };
  add("connections", x.connections);
  add("waiting_turns", x.waiting);
  add("resting_turns", x.resting);
  out += R"(,"tenants":[)";
  for (const auto& tenant : x.tenants) {
    out += out.back() == '[' ? R"({"id":)" : R"(,{"id":)";
    append_json_string(out, tenant.id);
    add("turns", tenant.turns);
    add("waiting_turns", tenant.waiting);
    add("connections", tenant.connections);
    out += '}';
  }
  out += R"(],"upstreams":[)";
  for (const auto& upstream : x.upstreams) {
    out += out.back() == '[' ? R"({"name":)" : R"(,{"name":)";
    append_json_string(out, upstream.name);
    add("outstanding", upstream.outstanding);
    out += R"(,"breaker":)";
    append_json_string(out, upstream.breaker);
    out += '}';
  }
  return out + "]}";
}

std::string model_document(std::string_view id, std::int64_t created) {
  std::string out = R"({"id":)";
  append_json_string(out, id);
  out +=
      R"(,"object":"model","created":)" + std::to_string(created) + R"(,"owned_by":"lang-agent"})";
  return out;
}

std::string models_document(const std::vector<std::string>& ids, std::int64_t created) {
  std::string out = R"({"object":"list","data":[)";
  for (const auto& id : ids) {
    if (out.back() == '}')
      out += ',';
    out += model_document(id, created);
  }
  return out + "]}";
}

} // namespace lang_agent::http
