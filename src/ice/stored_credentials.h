// StoredCredentials: a user name fragment and its password in as much memory as they take. RFC 8839 §5.4 allows 256 characters
// for each, and nobody uses more than a few dozen.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/memory.h"

namespace pollrtc::ice {

class StoredCredentials {
 public:
  explicit StoredCredentials(const Memory& memory) : text_(memory) {}

  // So that set() will not fail with a fragment and a password of so many characters together. False: no memory.
  [[nodiscard]] bool reserve(std::size_t characters) {
    ufrag_size_ = 0;
    const bool is_reserved = text_.resize_discarding(characters);
    text_.clear();
    return is_reserved;
  }
  // False: no memory, and nothing is stored.
  [[nodiscard]] bool set(std::string_view ufrag, std::string_view pwd) {
    ufrag_size_ = 0;
    if (!text_.resize_discarding(ufrag.size() + pwd.size())) return false;
    ufrag_size_ = ufrag.size();
    std::copy(pwd.begin(), pwd.end(), std::copy(ufrag.begin(), ufrag.end(), text_.data()));
    return true;
  }
  std::string_view ufrag() const { return as_text(Bytes(text_).first(ufrag_size_)); }
  std::string_view pwd() const { return as_text(Bytes(text_).subspan(ufrag_size_)); }

 private:
  Buffer text_;
  std::size_t ufrag_size_ = 0;
};

}  // namespace pollrtc::ice
