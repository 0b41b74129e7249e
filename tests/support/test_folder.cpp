// Where the files of the tests are.
namespace pollrtc::test {

extern const char* const kTestFolder;
const char* const kTestFolder = POLLRTC_TEST_FOLDER;

}  // namespace pollrtc::test
