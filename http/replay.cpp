#include "http/replay.hpp"

#include "http/answer_encoder.hpp"
#include "http/answer_shape.hpp"
#include "http/answer_stream.hpp"

#include <xxhash.h>

#include <limits>

namespace lang_agent::http {

digest body_digest(std::string_view body) {
  const auto x = XXH3_128bits(body.data(), body.size());
  return {x.high64, x.low64};
}

std::string stream_of(std::string_view plain, bool include_usage) {
  answer_stream stream{std::numeric_limits<std::size_t>::max(), 0};
  std::vector<choice_delta> deltas;
  dom::spanned_document document;
  const bool parsed =
      document.parse(plain, max_upstream_depth + 8) == dom::spanned_document::outcome::ok;
  if (!parsed || stream.add_whole(plain, deltas))
    return answer_encoder::error_event(internal_failure());
  const auto* id = member_of(document, "id");
  const auto* created = member_of(document, "created");
  const auto* model = member_of(document, "model");
  answer_encoder encoder{std::string{dom::text(*id)}, created->GetInt64(),
                         std::string{dom::text(*model)}, include_usage};
  std::string out;
  for (const auto& delta : deltas)
    encoder.delta(out, delta);
  encoder.finish(out, stream.finish());
  return out;
}

} // namespace lang_agent::http
