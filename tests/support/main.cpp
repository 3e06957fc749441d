// The entry point of the test suite. SIGPIPE keeps its default action on purpose: a SIGPIPE is a bug of the
// library, and must end the run. A watchdog names the test that hangs (SAKE_TEST_TIMEOUT seconds each, 300
// unless told, two hours at full size), so that a deadlock is a failure and not a silent CI timeout.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <locale>

namespace {

const char* volatile current_test = "(none)";

void write_text(const char* text) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

void report_hang(int) {
    write_text("\nHUNG: this test did not end in time: ");
    write_text(current_test);
    write_text("\n");
    std::abort();
}

unsigned timeout_seconds() {
    const char* text = std::getenv("SAKE_TEST_TIMEOUT");
    const int value = text == nullptr ? 0 : std::atoi(text);
    if (value > 0) return static_cast<unsigned>(value);
    return std::getenv("SAKE_LONG") != nullptr ? 7200 : 300;
}

/// Restarts the alarm for every test case; reports nothing itself.
struct Watchdog : doctest::IReporter {
    explicit Watchdog(const doctest::ContextOptions&) {}
    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override { ::signal(SIGALRM, report_hang); }
    void test_run_end(const doctest::TestRunStats&) override { ::alarm(0); }
    void test_case_start(const doctest::TestCaseData& data) override {
        current_test = data.m_name;
        ::alarm(timeout_seconds());
    }
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_end(const doctest::CurrentTestCaseStats&) override { ::alarm(0); }
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};

}  // namespace

REGISTER_LISTENER("watchdog", 1, Watchdog);

int main(int argc, char** argv) {
    // P10: under the locale that the environment names, for C and for C++; throws if there is none.
    if (const char* name = std::getenv("SAKE_TEST_LOCALE")) std::locale::global(std::locale(name));
    doctest::Context context(argc, argv);
    return context.run();
}
