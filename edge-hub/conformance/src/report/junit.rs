//! The report as JUnit XML, a suite for each group.

use std::path::Path;

use anyhow::{Context as _, Result};
use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::{Report, failure, told};
use crate::{
    cases::GROUPS,
    runner::{Finished, Verdict},
};

/// Writes the file, and the folders above it.
pub fn write(report: &Report, file: &Path) -> Result<()> {
    let named = || format!("cannot write {}", file.display());
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(named)?;
    }
    std::fs::write(file, document(report)?).with_context(named)
}

fn document(report: &Report) -> Result<String> {
    let mut document = Junit::new("clustertalk-conformance");
    document.set_time(report.time);
    for group in GROUPS {
        let cases = report
            .finished
            .iter()
            .filter(|one| {
                one.name
                    .split_once('/')
                    .is_some_and(|(of, _)| of == group.name)
            })
            .map(test_case);
        let cases: Vec<TestCase> = cases.collect();
        if !cases.is_empty() {
            let mut suite = TestSuite::new(group.name);
            suite.add_test_cases(cases);
            document.add_test_suite(suite);
        }
    }
    Ok(document.to_string()?)
}

fn test_case(one: &Finished) -> TestCase {
    let (_, why) = told(&one.verdict);
    let mut status = match one.verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Failed(_) | Verdict::Stale { .. } => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_description(failure(one));
            status
        }
        Verdict::Skipped { .. } | Verdict::NotRun(_) => TestCaseStatus::skipped(),
    };
    if !why.is_empty() {
        status.set_message(why);
    }
    let mut case = TestCase::new(&one.name, status);
    case.set_classname(one.case.section).set_time(one.time);
    case
}
