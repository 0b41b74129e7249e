// The engine laws themselves, proved with toys that keep them and toys that break one each.
#include "unit/engine_laws.h"

#include "base/bytes.h"
#include "base/memory.h"

using namespace pollrtc;
using namespace pollrtc::test;
using namespace std::chrono_literals;

namespace {

enum class Flaw {
  None,
  LosesReplies,
  SticksToDeadline,
  NeverQuiet,
  AmbientRandomness,
  Leaks,
  CrashesWithoutMemory
};

// Sends ten numbers, each again and again until it is acknowledged. 0 n: the number; 1 n: its acknowledgment.
class Toy {
 public:
  struct Event {
    std::uint8_t number = 0;
  };
  Toy(Environment& environment, Flaw flaw)
      : environment_(environment), flaw_(flaw), received_(environment.memory) {}
  ~Toy() {
    if (flaw_ == Flaw::Leaks) {
      leaks().push_back(held_);
    } else if (held_ != nullptr) {
      environment_.memory.release(environment_.memory.context, held_, 8, 8);
    }
  }
  Toy(const Toy&) = delete;
  Toy& operator=(const Toy&) = delete;

  bool start(Time now) {
    held_ = environment_.memory.allocate(environment_.memory.context, 8, 8);
    due_ = now + 15ms;
    owes_number_ = true;
    return held_ != nullptr;
  }
  Drop handle_packet(Time now, Bytes in) {
    if (in.size() < 2) return Drop::Empty;
    if (in[0] == 1) {
      if (in[1] == sending_ && sending_ < 10) ++sending_, owes_number_ = sending_ < 10, due_ = now + 15ms;
      if (sending_ == 10) due_ = kNever;
      return Drop::None;
    }
    owed_acks_ |= 1u << in[1];
    if (flaw_ == Flaw::LosesReplies) owed_acks_ = 1u << in[1];
    if (std::find(received_.begin(), received_.end(), in[1]) != received_.end()) return Drop::None;
    if (received_.push_back(in[1])) return Drop::None;
    owed_acks_ &= ~(1u << in[1]);  // it comes again
    return Drop::OutOfMemory;
  }
  std::size_t poll_packet(Time, MutBytes out) {
    static std::uint8_t ambient = 0;
    out[2] = flaw_ == Flaw::AmbientRandomness ? ++ambient : 0;
    for (std::uint8_t n = 0; n < 10; ++n) {
      if ((owed_acks_ & (1u << n)) == 0) continue;
      owed_acks_ &= ~(1u << n);
      out[0] = 1;
      out[1] = n;
      return 3;
    }
    if (!owes_number_ && flaw_ != Flaw::NeverQuiet) return 0;
    owes_number_ = false;
    out[0] = 0;
    out[1] = std::min<std::uint8_t>(sending_, 9);
    return 3;
  }
  void handle_timeout(Time now) {
    if (now < due_) return;
    owes_number_ = sending_ < 10;
    if (flaw_ != Flaw::SticksToDeadline) due_ = now + 15ms;
  }
  Time next_timeout() const { return due_; }
  bool poll_event(Event& event) {
    if (reported_ == received_.size()) return false;
    event.number = received_[reported_++];
    return true;
  }

  // What the leaking toy kept from its Memory, so that the test itself can give it back.
  static std::vector<void*>& leaks() {
    static std::vector<void*> blocks;
    return blocks;
  }

 private:
  Environment& environment_;
  Flaw flaw_;
  Vec<std::uint8_t> received_;
  void* held_ = nullptr;
  std::size_t reported_ = 0;
  Time due_ = kNever;
  std::uint32_t owed_acks_ = 0;
  std::uint8_t sending_ = 0;
  bool owes_number_ = false;
};

template <Flaw kFlaw>
struct ToySubject {
  using Engine = Toy;
  static constexpr bool kReproducible = true;
  std::unique_ptr<Toy> make(Environment& environment, Time now, int) {
    auto toy = std::make_unique<Toy>(environment, kFlaw);
    return toy->start(now) ? std::move(toy) : nullptr;
  }
  void on_event(Toy&, Time, int, const Toy::Event& event, std::string& outcome) {
    outcome += std::to_string(event.number);
  }
  void collect(Toy&, Time, int, std::string&) {}
};

// Loses whatever an earlier input owed when another comes: right only when drained each time.
struct Forgetful {
  struct Event {};
  std::optional<std::uint8_t> owed;
  std::uint8_t to_send = 0;
  bool replies = false;
  std::string heard;
  Drop handle_packet(Time, Bytes in) {
    if (replies) owed = in[0];
    if (!replies) heard += static_cast<char>('0' + in[0]);
    return Drop::None;
  }
  std::size_t poll_packet(Time, MutBytes out) {
    if (!replies && to_send < 5) return out[0] = to_send++, 1;
    if (!owed) return 0;
    out[0] = *owed;
    owed.reset();
    return 1;
  }
  void handle_timeout(Time) {}
  Time next_timeout() const { return kNever; }
  bool poll_event(Event&) { return false; }
};

struct ForgetfulSubject {
  using Engine = Forgetful;
  static constexpr bool kReproducible = true;
  std::unique_ptr<Forgetful> make(Environment&, Time, int end) {
    auto engine = std::make_unique<Forgetful>();
    engine->replies = end == 1;
    return engine;
  }
  void on_event(Forgetful&, Time, int, const Forgetful::Event&, std::string&) {}
  void collect(Forgetful& engine, Time, int, std::string& outcome) { outcome = engine.heard; }
};

}  // namespace

TEST_CASE("engine laws: an engine that keeps them passes") {
  check_engine_laws<ToySubject<Flaw::None>>();
  LawRun<ToySubject<Flaw::None>> run(1, Schedule::Shuffled);
  CHECK(run.run() == "");
  CHECK(run.outcome()[0] == "0123456789");
  // A toy that loses acknowledgments when inputs come together sends again: nothing is lost, so no law is broken.
  CHECK(laws_1_to_3<ToySubject<Flaw::LosesReplies>>(1) == "");
}

TEST_CASE("engine laws: each broken one is named") {
  CHECK(laws_1_to_3<ForgetfulSubject>(1).find("law 1: end 0 saw") == 0);
  CHECK(laws_1_to_3<ToySubject<Flaw::SticksToDeadline>>(1) == "law 2: the deadline did not move");
  CHECK(laws_1_to_3<ToySubject<Flaw::NeverQuiet>>(1) == "law 3: output without end");
  CHECK(law_4<ToySubject<Flaw::AmbientRandomness>>(1) == "law 4: other bytes with the same seed");
  CHECK(law_4<ForgetfulSubject>(1) == "");
  CHECK(law_5<ToySubject<Flaw::Leaks>>(1).find("law 5: memory is left behind") == 0);
  for (void* block : Toy::leaks()) ::operator delete(block, std::align_val_t(8));
}
