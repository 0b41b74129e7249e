// Each case below must be refused by the compiler, for the reason it names; without a case, the file
// compiles. must_not_compile.py runs it once for each: `#ifdef NAME  // error: pattern`.
#include "base/serial.h"
#include "pollrtc/result.h"
#include "pollrtc/types.h"

namespace pollrtc {

using Tsn = Serial<struct TsnTag, std::uint32_t>;
using OtherNumber = Serial<struct OtherTag, std::uint32_t>;

Status refuse();
Result<int> number();
void use(Tsn);

#ifdef ASK_FOR_THE_TIME  // error: now
Time f() { return Clock::now(); }
#endif

#ifdef MIX_SEQUENCE_NUMBERS  // error: operator<|invalid operands
bool f(Tsn a, OtherNumber b) { return a < b; }
#endif

#ifdef NUMBER_AS_SEQUENCE_NUMBER  // error: convert|no matching function|conversion
void f() { use(7u); }
#endif

#ifdef SEQUENCE_NUMBER_AS_NUMBER  // error: convert|conversion
std::uint32_t f(Tsn a) { return a; }
#endif

#ifdef IGNORE_A_STATUS  // error: nodiscard|unused-result|ignoring
void f() { refuse(); }
#endif

#ifdef IGNORE_A_RESULT  // error: nodiscard|unused-result|ignoring
void f() { number(); }
#endif

#ifdef RESULT_AS_VALUE  // error: convert|conversion
int f() { return number(); }
#endif

#ifdef STATUS_AS_NUMBER  // error: convert|conversion
int f() { return refuse(); }
#endif

#ifdef TIME_FROM_A_NUMBER  // error: convert|conversion
Time f() { return 5; }
#endif

#ifdef MILLISECONDS_UNNAMED  // error: convert|conversion
Duration f() { return 500; }
#endif

}  // namespace pollrtc
