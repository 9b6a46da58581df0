/// The documents that never change while the server runs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lang_agent::http {

/// GET /: the original service's info document, with our endpoints.
std::string info_document();

/// GET /health.
std::string health_document(bool healthy);

/// GET /v1/models/{id}: one model object. `created` is in Unix seconds.
std::string model_document(std::string_view id, std::int64_t created);

/// GET /v1/models.
std::string models_document(const std::vector<std::string>& ids, std::int64_t created);

} // namespace lang_agent::http
